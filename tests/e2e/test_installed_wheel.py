"""The wheel on bare hosts: installed, first rotation done, replaced, removed, as documented."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator import __version__
from tests.fixtures.version_0_1_0 import WHEEL
from tests.servers.bare_debian import BareDebian
from tests.support import MARKED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.dist import Dist

pytestmark = pytest.mark.timeout(600)

PROJECT = Path(__file__).parents[2]
JOURNAL = "srv/rotator/state/first.json"
PAGE = (PROJECT / "deploy/README.md").read_text()
OLD, NEW = "bookworm", "trixie"
on = pytest.mark.parametrize
AUTH = {"auths": {"registry.example.com": {"username": "ci", "password": f"{MARKED}wheel"}}}
CONFIGURATION = {
    "version": 1,
    "state_dir": "/srv/rotator/state",
    "rotations": [
        {
            "name": "first",
            "prove": "off",
            "sources": [{"type": "docker_config", "path": "/srv/rotator/login.json"}],
            "targets": [{"type": "file", "path": "/srv/rotator/published/config.json"}],
        }
    ],
}


def documented(first: str, version: str = __version__) -> str:
    """Return the block of commands in deploy/README.md that begins so."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if block.startswith(first)]
    return block.replace("VERSION", version)


@pytest.fixture
def debian(request: pytest.FixtureRequest, tmp_path: Path, dist: Dist) -> Iterator[BareDebian]:
    """Give a bare host with the release in /srv/release and a configuration."""
    with BareDebian(request.param, tmp_path / "debian") as host:
        release = host.root / "srv/release"
        release.mkdir()
        for pattern in ("*.whl", "requirements.txt"):
            shutil.copy(dist.one(pattern), release)
        place = host.root / "srv/rotator"
        for folder in ("state", "published"):
            (place / folder).mkdir(parents=True, mode=0o700)
        (place / "rotator.yaml").write_text(json.dumps(CONFIGURATION))
        (place / "login.json").write_text(json.dumps(AUTH))
        missing = host.run("command -v git make gcc cc pip || echo nothing")
        assert missing.strip() == "nothing"
        yield host


def rotate(host: BareDebian, version: str = __version__) -> None:
    """See that a rotation works, and that it is this version which runs."""
    host.run("rm -f /srv/rotator/published/config.json")
    assert host.run("rotator --version").split()[-1] == version
    host.run("rotator --config /srv/rotator/rotator.yaml run-once")
    published = json.loads((host.root / "srv/rotator/published/config.json").read_text())
    assert published["auths"].keys() == AUTH["auths"].keys()


def upgraded_from_0_1_0(host: BareDebian, install: str, uninstall: str) -> str:
    """Install 0.1.0, let it rotate, and take it away as documented; return its journal."""
    assert f"`{uninstall}`" in PAGE
    shutil.copy(WHEEL, host.root / "srv")
    host.run(f"{install} /srv/{WHEEL.name}")
    rotate(host, "0.1.0")
    host.run(uninstall)
    return (host.root / JOURNAL).read_text()


def assert_goes_on(host: BareDebian, journal: str) -> None:
    """See that the journal is the one from before: the credential is no newer than that."""
    before, now = json.loads(journal), json.loads((host.root / JOURNAL).read_text())
    assert (before["version"], now["version"]) == (1, 2)
    ((old,),) = before["credentials"].values()
    ((new,),) = now["credentials"].values()
    assert [old[key] for key in ("fingerprint", "issued_at")] == [
        new[key] for key in ("fingerprint", "issued_at")
    ]


def again(block: str) -> str:
    """Return the commands that install over what is there."""
    return block.replace(" install", " install --force")


@on("debian", [OLD, NEW], indirect=True)
def test_with_uv(debian: BareDebian) -> None:
    """`uv tool install`, again over itself, and `uv tool uninstall`."""
    shutil.copy(Path(sys.executable).with_name("uv"), debian.root / "usr/local/bin/uv")
    journal = upgraded_from_0_1_0(debian, "uv tool install", "uv tool uninstall rotator")
    debian.run(f"cd /srv/release\n{documented('uv tool install')}")
    rotate(debian)
    assert_goes_on(debian, journal)
    tools = debian.run("ls /root/.local/share/uv/tools/registry-rotator/lib/*/site-packages")
    assert not {"pytest", "moto", "mypy"} & set(tools.split())
    debian.run(f"cd /srv/release\n{again(documented('uv tool install'))}")
    rotate(debian)
    debian.run("uv tool uninstall registry-rotator; ! command -v rotator")


@on("debian", [NEW], indirect=True)
def test_with_pipx(debian: BareDebian) -> None:
    """`pipx install`, again over itself, and `pipx uninstall`."""
    debian.run("python3 -m venv /opt/pipx && /opt/pipx/bin/pip install --quiet pipx")
    debian.run("ln -s /opt/pipx/bin/pipx /usr/local/bin/pipx")
    journal = upgraded_from_0_1_0(debian, "pipx install", "pipx uninstall rotator")
    debian.run(f"cd /srv/release\n{documented('pipx install')}")
    rotate(debian)
    assert_goes_on(debian, journal)
    debian.run(f"cd /srv/release\n{again(documented('pipx install'))}")
    rotate(debian)
    debian.run("pipx uninstall registry-rotator; ! command -v rotator")


@on("debian", [OLD], indirect=True)
def test_with_pip_and_hashes(debian: BareDebian) -> None:
    """`pip --require-hashes` takes exactly what was tested."""
    debian.run(f"cd /srv/release\n{documented('python3 -m venv')}")
    debian.run("ln -s /opt/rotator/bin/rotator /usr/local/bin/rotator")
    rotate(debian)
    debian.run("rm -r /opt/rotator")
