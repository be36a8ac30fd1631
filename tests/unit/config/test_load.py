"""Which file is loaded, and what its paths mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator.config.load import configuration_file, default_state_dir, load
from rotator.config.sources import VaultSourceSettings
from rotator.config.vault_auth import ApproleAuthSettings
from rotator.core.errors import ConfigError
from tests.unit.config.documents import LOGIN, document

if TYPE_CHECKING:
    from tests.unit.config.conftest import Write


@pytest.mark.parametrize(
    ("option", "environ", "expected"),
    [
        ("a.yaml", {"ROTATOR_CONFIG": "/b.yaml"}, "a.yaml"),
        ("", {"ROTATOR_CONFIG": "/b.yaml"}, "."),
        (None, {"ROTATOR_CONFIG": "/b.yaml"}, "/b.yaml"),
        (None, {"ROTATOR_CONFIG": ""}, "/etc/rotator/rotator.yaml"),
        (None, {}, "/etc/rotator/rotator.yaml"),
    ],
)
def test_which_file(option: str | None, environ: dict[str, str], expected: str) -> None:
    """The option goes before the variable, the variable before /etc."""
    assert configuration_file(option, environ) == Path(expected)


@pytest.mark.parametrize(
    ("environ", "uid", "expected"),
    [
        ({"STATE_DIRECTORY": "/s", "XDG_STATE_HOME": "/x"}, 0, "/s"),
        ({"STATE_DIRECTORY": "/s:/t"}, 1, "/s"),
        ({"XDG_STATE_HOME": "/x"}, 0, "/var/lib/rotator"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, 1, "/x/rotator"),
        ({"XDG_STATE_HOME": "x", "HOME": "/h"}, 1, "/h/.local/state/rotator"),
        ({"HOME": "/h"}, 1, "/h/.local/state/rotator"),
        ({}, 1, "/.local/state/rotator"),
    ],
)
def test_default_state_dir(environ: dict[str, str], uid: int, expected: str) -> None:
    """The journal is where systemd, root or the XDG specification want it."""
    assert default_state_dir(environ, uid) == Path(expected)


def test_state_dir_is_filled_in(write: Write) -> None:
    """What the file says about the journal goes before the default."""
    environ = {"STATE_DIRECTORY": "/s"}
    assert load(write(document()), environ).state_dir == Path("/s")
    assert load(write(document(root="state_dir: /own")), environ).state_dir == Path("/own")


@pytest.mark.parametrize(
    ("environ", "file", "expected"),
    [
        ({}, "secret-id", "{beside}/secret-id"),
        ({}, "../x/secret-id", "{beside}/../x/secret-id"),
        ({"CREDENTIALS_DIRECTORY": "/run/c"}, "secret-id", "/run/c/secret-id"),
        ({"CREDENTIALS_DIRECTORY": "/run/c"}, "/etc/secret-id", "/etc/secret-id"),
        ({"CREDENTIALS_DIRECTORY": ""}, "secret-id", "{beside}/secret-id"),
    ],
)
def test_where_relative_files_are(
    environ: dict[str, str], file: str, expected: str, write: Write
) -> None:
    """A relative `_file` is systemd's credential, or else stands beside the configuration."""
    path = write(LOGIN.replace("FILE", file))
    source = load(path, environ).rotations[0].sources[0]
    assert isinstance(source, VaultSourceSettings)
    assert isinstance(source.auth, ApproleAuthSettings)
    assert source.auth.secret_id_file == Path(expected.format(beside=path.parent))


def test_beside_a_relative_configuration(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's own path may be relative; those in it come out absolute."""
    path = write(LOGIN.replace("FILE", "secret-id"))
    monkeypatch.chdir(path.parent)
    source = load(Path(path.name), {}).rotations[0].sources[0]
    assert isinstance(source, VaultSourceSettings)
    assert isinstance(source.auth, ApproleAuthSettings)
    assert source.auth.secret_id_file == path.parent / "secret-id"


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is an error that says how to name another."""
    path = tmp_path / "none.yaml"
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert caught.value.problems == (
        (
            f"{path}:1:1: cannot be read: No such file or directory;"
            f" write a first one: rotator --config {path} init;"
            " or name another with --config or $ROTATOR_CONFIG"
        ),
    )


def test_directory_as_file(tmp_path: Path) -> None:
    """A directory is an error, not a traceback."""
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_path_that_no_system_takes() -> None:
    """A path with a NUL in it is an error, not a traceback."""
    with pytest.raises(ConfigError, match="cannot be read: no path can have a NUL in it"):
        load(Path("a\0b"), {})
