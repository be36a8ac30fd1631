"""File systems and directories where less is possible, and what a killed rotator left there."""

from __future__ import annotations

import errno
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import ConflictError, DriverError, Reason
from rotator.core.model import Secret
from rotator.system.exchange import version
from tests.faults import before, failing
from tests.unit.targets.file.desk import (
    MARK,
    NEW,
    OLD,
    STRANGER,
    names_in,
    publish,
    refusal,
    target,
)
from tests.unit.targets.file.writers import AT_THE_EXCHANGE, THEIRS, rename_over

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
def test_where_names_cannot_be_exchanged(path: Path, number: int) -> None:
    """NFS, for example: compared once more, and renamed over."""
    with failing("renameat2", number):
        publish(path)
    assert path.read_text() == f"{NEW}\n"
    found = target(path)
    held = found.read()

    def change_and_fail() -> None:
        rename_over(path, THEIRS)
        raise OSError(number, os.strerror(number))

    with before(change_and_fail, AT_THE_EXCHANGE), pytest.raises(ConflictError):
        found.write(Secret(OLD), MARK, held)
    assert path.read_text() == THEIRS
    assert names_in(path.parent) == [path.name]


@pytest.mark.parametrize(
    ("call", "number"), [("fcntl", errno.EACCES), ("flock", errno.ENOLCK)], ids=["leases", "locks"]
)
@pytest.mark.parametrize("how", ["replace", "in_place"])
def test_a_file_system_without(path: Path, call: str, number: int, how: str) -> None:
    """Both are a help that may be missing: what others write is noticed all the same."""

    def fail() -> None:
        raise OSError(number, os.strerror(number))

    with before(fail, frozenset({call}), times=100):
        publish(path, write=how)
    assert path.read_text() == f"{NEW}\n"
    found = target(path, write=how)
    held = found.read()
    rename_over(path, THEIRS)
    with before(fail, frozenset({call}), times=100), pytest.raises(ConflictError):
        found.write(Secret(OLD), MARK, held)
    assert path.read_text() == THEIRS
    assert names_in(path.parent) == [path.name]


@pytest.fixture
def append_only(folder: Path, root: None) -> Iterator[Path]:
    """Return a directory in which files can be made but not removed."""
    subprocess.run(["chattr", "+a", str(folder)], check=True)
    yield folder
    subprocess.run(["chattr", "-a", str(folder)], check=True)


@pytest.mark.parametrize("exists", [True, False])
def test_an_append_only_directory(folder: Path, append_only: Path, *, exists: bool) -> None:
    """It is refused before a temporary file is made that could not be removed."""
    path = folder / "config.json"
    if exists:
        path.write_text(f"{OLD}\n")
    error = refusal(path)
    assert error.reason == Reason.FORBIDDEN
    assert "lsattr" in error.hint
    if exists:
        with pytest.raises(DriverError):
            target(path).set_aside(target(path).read())
        publish(path, write="in_place")
        assert path.read_text() == f"{NEW}\n"
    assert names_in(folder) == (["config.json"] if exists else [])


def test_a_file_that_is_immutable(path: Path, root: None) -> None:
    """It can't be replaced, and nothing stays beside it."""
    subprocess.run(["chattr", "+i", str(path)], check=True)
    try:
        assert refusal(path).reason == Reason.FORBIDDEN
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_strangers_draft_gets_no_name(folder: Path, root: None, kind: str) -> None:
    """In a directory like `/tmp` somebody lays out what looks like an unfinished exchange."""
    folder.chmod(0o1777)
    path = folder / "config.json"
    path.write_text(f"{OLD}\n")
    inode, mtime, size = version(path.stat())
    trap = folder / f".config.json.rotator-exchange-{inode:x}-{mtime:x}-{size:x}-1-2-3"
    if kind == "file":
        trap.write_text(THEIRS)
    else:
        trap.mkdir()
    os.chown(trap, STRANGER, STRANGER)
    publish(path)
    assert path.read_text() == f"{NEW}\n"
    assert path.stat().st_uid == 0
    assert trap.exists() == (kind == "directory")


def test_what_a_killed_rotator_had_begun_is_finished(folder: Path, path: Path) -> None:
    """Its draft's name holds the only copy of what somebody wrote: that is merged, not lost."""
    inode, mtime, size = version(path.stat())
    left = folder / f".config.json.rotator-exchange-{inode:x}-{mtime:x}-{size:x}-1-2-3"
    left.write_text(THEIRS)
    found = target(path)
    held = found.read()
    with pytest.raises(ConflictError):
        found.write(Secret(NEW), MARK, held)
    assert path.read_text() == THEIRS
    assert names_in(folder) == [path.name]
