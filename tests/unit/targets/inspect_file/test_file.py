"""What `check` says of a file and its directory."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from rotator.inspection import Finding
from rotator.system import mounts
from rotator.system.mounts import Mount
from rotator.targets import inspect_file as file
from tests.privileges import obey_modes
from tests.support import missing
from tests.unit.checks.described import bad, case, login_file, rotation, the
from tests.unit.targets.inspect_file.rig import MOUNTINFO, Rig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_all_is_well(rig: Rig) -> None:
    """A file that can be replaced and read is told to be so; it is the same file afterwards."""
    before = rig.file.stat()
    found = rig.look()
    assert not bad(found)
    the(found, "ok", "can be replaced")
    the(found, "ok", "mode 0600: jobs that run as root")
    after = rig.file.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert [one.name for one in rig.folder.iterdir()] == ["config.json"]


def test_no_directory(rig: Rig) -> None:
    """A missing directory: the command that makes it."""
    rig.file.unlink()
    rig.folder.rmdir()
    assert "mkdir -p" in the(rig.look(), "failure", "No such file").todo


def test_unsafe_directory(rig: Rig) -> None:
    """A directory where others can write is refused, by the driver's own rule."""
    rig.folder.chmod(0o777)
    assert "chmod go-w" in the(rig.look(), "failure", "others can write").todo


def test_directory_of_others(rig: Rig) -> None:
    """A directory that we may not write in is found out without a write."""
    rig.folder.chmod(0o555)
    obey_modes(on=True)
    # capabilities are a thread's own: asked here, and not in the fan-out's threads
    one = case(rotation([login_file(rig.place)], [rig.settings]))
    found = file.inspect(one.rotation.targets[0], one)  # type: ignore[arg-type]
    findings = [each for each in found if isinstance(each, Finding)]
    assert "ls -ld" in the(findings, "failure", "Permission denied").todo


@pytest.mark.parametrize(
    ("mode", "words"),
    [(0o640, "its group can read it"), (0o644, "everybody on this machine can read it")],
)
def test_mode(rig: Rig, mode: int, words: str) -> None:
    """What the mode means for jobs is told; one that is not as configured is a warning."""
    rig.file.chmod(mode)
    found = rig.look(mode="0600")
    the(found, "ok", words)
    assert the(found, "warning", "another mode").todo == f"chmod 0600 {rig.file}"


def test_in_place_without_need(rig: Rig) -> None:
    """Writing in place where a rename would do is not atomic, and said."""
    the(rig.look(write="in_place"), "warning", "is no mount point")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("eyJhdXRocyI6e319", "it is base64"),
        ('DOCKER_AUTH_CONFIG={"auths":{}}', "`DOCKER_AUTH_CONFIG=` is in front"),
        ("'{\"auths\":{}}'", "it is in single quotes"),
    ],
    ids=["base64", "name", "quotes"],
)
def test_a_document_with_something_around_it(rig: Rig, text: str, words: str) -> None:
    """No client reads it: what is around it is said."""
    rig.file.write_text(text)
    found = rig.look()
    the(found, "ok", words)
    the(found, "warning", "no client can read what is there")


def test_malformed_document(rig: Rig) -> None:
    """A file that is no docker config is repaired by the next cycle."""
    rig.file.write_text('{"auths": ')
    assert "the next cycle repairs it" in the(rig.look(), "warning", "not JSON").found


def test_path_is_a_mount_point(rig: Rig) -> None:
    """A path that is itself a mount can't be replaced; in place it can be written, not safely."""
    with mounted(rig):
        assert "mount the directory" in the(rig.look(), "failure", "resource busy").todo
        the(rig.look(write="in_place"), "warning", "can read a part of it")


@contextmanager
def mounted(rig: Rig) -> Iterator[None]:
    """Mount the file over itself in our own mount table."""
    if os.geteuid():
        missing(
            "root, who may mount", "sudo .venv/bin/pytest tests/unit/targets/test_inspect_file.py"
        )
    subprocess.run(["mount", "--bind", rig.file, rig.file], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", rig.file], check=True)


def test_mount_table(tmp_path: Path) -> None:
    """Spaces, subvolumes and replaced files are read as the kernel writes them."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "mountinfo").write_text(MOUNTINFO)
    table = mounts.table("7", tmp_path)
    assert table[-1] == Mount(
        "8:2", "/@opt/my dir/config.json", "/root/.docker/config.json", deleted=True, system="btrfs"
    )
    path = tmp_path.__class__("/opt/my dir/config.json")
    assert mounts.place(path, table) == ("8:2", "/@opt/my dir/config.json")
