"""Whatever a credential helper prints: a login that every client can send, or an error."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rotator.config.sources import CredentialHelperSourceSettings
from rotator.core import docker_config, docker_merge
from rotator.core.errors import DriverError
from rotator.sources.credential_helper import CredentialHelperSource
from tests.fakes.credential_helper import install
from tests.fuzz.stub import FUZZ, NASTY, dumped, json_with
from tests.fuzz.test_answers import check
from tests.support import MARKED, NOW

if TYPE_CHECKING:
    from pathlib import Path

HOST = "registry.example.com"
NAMES = ["Username", "Secret", "ServerURL", "username", "SECRET"]
TEXT = st.text(st.sampled_from(':="\\\x00\n a') | st.characters(), min_size=1, max_size=8)
LOGIN = st.fixed_dictionaries({"Username": TEXT, "Secret": TEXT})


@pytest.fixture
def helper(tmp_path: Path) -> CredentialHelperSource:
    """Return a source whose helper prints the file `said`, and ends with the code in `code`."""
    install(tmp_path / "bin", "any", f'cat "{tmp_path}/said"; exit "$(cat "{tmp_path}/code")"')
    return CredentialHelperSource(
        CredentialHelperSourceSettings(
            name="helper", helper="any", registries=(HOST,), timeout=timedelta(seconds=30)
        ),
        lambda: NOW,
        {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
    )


def judge(helper: CredentialHelperSource, folder: Path, said: bytes, code: int) -> None:
    """Let the helper say this: it is a login that can be published and read, or an error."""
    (folder / "said").write_bytes(said)
    (folder / "code").write_text(str(code))
    try:
        (login,) = helper.fetch(())
    except DriverError as error:
        check(error)
        reported = f"{error.detail} {error.hint}"
        assert MARKED not in reported
        return
    assert code == 0
    merged = docker_merge.merge(docker_config.DockerConfig(), [login]).config
    published = docker_config.decode(docker_config.encode(merged)).logins()
    assert published == {HOST: (login.username, login.password)}


@FUZZ
@given(
    st.binary(max_size=80) | json_with(NAMES).map(dumped) | LOGIN.map(dumped),
    st.sampled_from([0, 0, 0, 1, 255]),
)
@example(b'{"Username": "a:b", "Secret": "x"}', 0)
@example(b'{"Username": "a", "Secret": "x\\u0000"}', 0)
def test_any_output(helper: CredentialHelperSource, tmp_path: Path, said: bytes, code: int) -> None:
    """Bytes, JSON with the right names in it, and logins of any letters."""
    judge(helper, tmp_path, said, code)


@pytest.mark.parametrize("said", NASTY.values(), ids=NASTY)
def test_nasty_output(helper: CredentialHelperSource, tmp_path: Path, said: bytes) -> None:
    """Whole answers that mean harm."""
    judge(helper, tmp_path, said.replace(b"null", b'"s3cr3t-null"'), 0)
    judge(helper, tmp_path, said, 1)
