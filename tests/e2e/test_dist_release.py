"""A release is made and signed, and who gets it can verify it."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deploy.packaging.source import PROJECT
from rotator import __version__
from tests.support import need

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


# It builds everything, twice, where nothing is in the cache.
pytestmark = pytest.mark.timeout(600)


def clone(place: Path, *, changelog: str) -> Path:
    """Return a clone of the project whose changelog begins like this."""
    subprocess.run(["git", "clone", "--quiet", "--no-tags", PROJECT, place], check=True)
    for key, value in {"user.name": "Test", "user.email": "test@example.com"}.items():
        subprocess.run(["git", "config", key, value], cwd=place, check=True)
    path = place / "CHANGELOG.md"
    path.write_text(path.read_text().replace("## Unreleased", changelog, 1))
    subprocess.run(["git", "commit", "--quiet", "--all", "--message=t"], cwd=place, check=True)
    return place


def release(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run what `make release` runs."""
    command = [sys.executable, "-m", "deploy.packaging.release", *words]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


def test_release(tmp_path: Path) -> None:
    """The version is set, in the one place and in the examples, committed, and tagged."""
    place = clone(tmp_path / "clone", changelog="## 9.8.7 - 2030-01-01")
    done = release(place, "9.8.7", "--tests", "true")
    assert done.returncode == 0, done.stderr
    assert '__version__ = "9.8.7"' in (place / "rotator/__init__.py").read_text()
    git = ["git", "-C", place]
    changed = subprocess.check_output([*git, "diff", "--name-only", "HEAD~1"], text=True).split()
    assert "rotator/__init__.py" in changed
    assert "deploy/kubernetes/base/kustomization.yaml" in changed
    assert "newTag: 9.8.7" in (place / "deploy/kubernetes/base/kustomization.yaml").read_text()
    assert subprocess.check_output([*git, "describe"], text=True).strip() == "v9.8.7"
    assert subprocess.check_output([*git, "status", "--porcelain"], text=True) == ""
    again = release(place, "9.8.7", "--tests", "true")
    assert "v9.8.7 is there already" in again.stderr
    assert release(place, "--begin", "9.9.0").returncode != 0
    assert release(place, "--begin", "9.9.0.dev0").returncode == 0
    assert '__version__ = "9.9.0.dev0"' in (place / "rotator/__init__.py").read_text()
    assert "newTag: 9.9.0.dev0" in (place / "deploy/kubernetes/base/kustomization.yaml").read_text()


@pytest.mark.parametrize(
    ("version", "change", "tests", "why"),
    [
        ("9.8", "", "true", "no version"),
        ("9.8.6", "", "true", "no heading `## 9.8.6`"),
        ("9.8.7", "README.md", "true", "not committed"),
        ("9.8.7", "", "false", "the tests fail: false"),
    ],
)
def test_release_is_refused(
    tmp_path: Path, version: str, change: str, tests: str, why: str
) -> None:
    """Where something is not as it should be, nothing is changed, and the sentence says what."""
    place = clone(tmp_path / "clone", changelog="## 9.8.7 - 2030-01-01")
    if change:
        (place / change).write_text("changed")
    done = release(place, version, "--tests", tests)
    assert done.returncode != 0
    assert why in done.stderr
    assert f'"{__version__}"' in (place / "rotator/__init__.py").read_text()
    assert subprocess.check_output(["git", "-C", place, "tag"], text=True) == ""


def verification(first: str) -> str:
    """Return the commands that begin so, with which a user checks what they got: SECURITY.md."""
    text = (PROJECT / "SECURITY.md").read_text()
    (found,) = re.findall(rf"^```sh\n({first} .*?)^```", text, re.MULTILINE | re.DOTALL)
    assert isinstance(found, str)
    return found


def ssh_key(folder: Path) -> dict[str, str]:
    """Make a key; write the public one as the documentation says; return what signs with it."""
    key = folder / "key"
    make = [need("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-f", key]
    subprocess.run(make, check=True)
    public = key.with_suffix(".pub").read_text().split()[:2]
    (folder / "allowed_signers").write_text(f"rotator {' '.join(public)}\n")
    return {"SIGN_SSH_KEY": str(key)}


def minisign_key(folder: Path) -> dict[str, str]:
    """Do the same with minisign; the key has no password."""
    key = folder / "minisign.key"
    make = [need("minisign", "minisign"), "-G", "-W", "-p", folder / "minisign.pub", "-s", key]
    subprocess.run(make, check=True, capture_output=True)
    return {"SIGN_MINISIGN_KEY": str(key)}


@pytest.mark.parametrize("tampered", ["", "a file", "the sums"])
@pytest.mark.parametrize("make_key", [ssh_key, minisign_key])
def test_signed_and_verified(
    tmp_path: Path, make_key: Callable[[Path], dict[str, str]], tampered: str
) -> None:
    """What `make sign` signs is accepted by the documented commands; what was changed is not."""
    digests = {text: hashlib.sha256(text.encode()).hexdigest() for text in ("one", "two")}
    (tmp_path / "file").write_text("one")
    (tmp_path / "SHA256SUMS").write_text(f"{digests['one']}  file\n")
    done = subprocess.run(
        [sys.executable, "-m", "deploy.packaging.release", "--sign", tmp_path],
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin", **make_key(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if tampered == "a file":
        (tmp_path / "file").write_text("two")
    elif tampered:
        (tmp_path / "SHA256SUMS").write_text(f"{digests['two']}  file\n")
        (tmp_path / "file").write_text("two")
    with_ssh = verification("ssh-keygen")
    commands = with_ssh
    if make_key is minisign_key:
        commands = verification("minisign") + with_ssh.partition("\n")[2]
    checked = subprocess.run(
        ["sh", "-ec", commands], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (checked.returncode == 0) is not bool(tampered), checked.stdout + checked.stderr


def test_nothing_to_sign_with(tmp_path: Path) -> None:
    """Without a key it says which variables name one."""
    (tmp_path / "SHA256SUMS").write_text("")
    done = release(PROJECT, "--sign", str(tmp_path))
    assert done.returncode != 0
    assert "SIGN_SSH_KEY" in done.stderr
