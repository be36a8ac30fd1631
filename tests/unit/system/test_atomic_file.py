"""Old or new, and whole: what readers, other writers and a full disk see of a write."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import stat
from typing import TYPE_CHECKING

import pytest

from rotator.system import atomic_file
from tests.faults import Crash, before, crashing, failing
from tests.privileges import obey_modes
from tests.support import missing

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, text: str, **options: object) -> None:
    """Write a file, given its whole path."""
    with atomic_file.directory(path.parent) as opened:
        atomic_file.write(opened, path.name, text, **options)  # type: ignore[arg-type]  # options of each test


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file that holds `old`."""
    path = tmp_path / "file"
    path.write_text("old")
    return path


def names(path: Path) -> list[str]:
    """Return what is in the file's directory."""
    return sorted(found.name for found in path.parent.iterdir())


def leftover(path: Path) -> Path:
    """Make what a killed run leaves behind."""
    found = path.parent / f".{path.name}.rotator-0123456789abcdef"
    found.write_text("unfinished")
    return found


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("text", ["", "new", "ü" * 100_000], ids=["empty", "short", "long"])
def test_puts_the_text_there(path: Path, text: str, *, durable: bool) -> None:
    """It is another file then; nothing else is left in the directory."""
    inode = path.stat().st_ino
    write(path, text, durable=durable)
    assert path.read_text() == text
    assert path.stat().st_ino != inode
    assert names(path) == ["file"]


def test_is_its_owners_alone_until_the_mode_is_set(path: Path) -> None:
    """Whatever the umask, nobody else can open the temporary file while it is being written."""
    modes = []

    def look() -> None:
        (temporary,) = (found for found in path.parent.iterdir() if found != path)
        modes.append(stat.S_IMODE(temporary.stat().st_mode))

    before_mask = os.umask(0)
    try:
        with before(look, frozenset({"fchmod"})):
            write(path, "new", mode=0o644)
    finally:
        os.umask(before_mask)
    assert modes == [0o600]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_gives_the_file_away_before_it_has_its_name(path: Path) -> None:
    """Owner and group are set on the temporary file."""
    if os.geteuid():
        missing("root", "sudo make test")
    owners = []

    def look() -> None:
        temporary = next(found for found in path.parent.iterdir() if found != path)
        status = temporary.stat()
        owners.append((status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)))

    with before(look, frozenset({"rename"})):
        write(path, "new", uid=12345, gid=54321, mode=0o640)
    assert owners == [(12345, 54321, 0o640)]
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


def test_exclusive_never_replaces(path: Path) -> None:
    """Where the name is taken, it stays taken."""
    with pytest.raises(FileExistsError):
        write(path, "new", exclusive=True)
    assert path.read_text() == "old"
    path.unlink()
    write(path, "new", exclusive=True)
    assert path.read_text() == "new"
    assert path.stat().st_nlink == 1
    assert names(path) == ["file"]


@pytest.mark.parametrize("call", ["write", "fchmod", "fsync", "rename"])
def test_an_error_leaves_the_old_file_and_no_other(path: Path, call: str) -> None:
    """A disk that fills up at any step loses nothing and leaves no rubbish."""
    with failing(call, errno.ENOSPC), pytest.raises(OSError, match="No space left"):
        write(path, "new")
    assert path.read_text() == "old"
    assert names(path) == ["file"]


def test_a_file_size_limit_leaves_the_old_file(path: Path) -> None:
    """A real short write, then a real error: a piece of a text never gets the name."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(path, "x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "old"
    assert names(path) == ["file"]


def test_exclusive_without_links(path: Path) -> None:
    """A file system that has no links makes the file by a rename, as exclusively."""
    with failing("link", errno.EPERM), pytest.raises(FileExistsError):
        write(path, "new", exclusive=True)
    assert path.read_text() == "old"
    path.unlink()
    with failing("link", errno.EPERM):
        write(path, "new", exclusive=True)
    assert path.read_text() == "new"
    assert names(path) == ["file"]


def test_a_draft_that_cannot_be_removed_is_emptied(path: Path) -> None:
    """Where the directory lets us make files and not remove them, no secret is left there."""

    def lose_the_right() -> None:
        path.parent.chmod(0o500)
        obey_modes(on=True)

    try:
        with before(lose_the_right, frozenset({"rename"})), pytest.raises(PermissionError):
            write(path, "s3cr3t-new")
    finally:
        obey_modes(on=False)
        path.parent.chmod(0o700)
    assert path.read_text() == "old"
    (left,) = (found for found in path.parent.iterdir() if found != path)
    assert left.read_text() == ""
    write(path, "new")
    assert names(path) == ["file"]


def test_a_crash_anywhere_leaves_old_or_new(path: Path) -> None:
    """Stopped at each step in turn, the file is whole, and no rubbish is left."""
    for number in range(1, 50):
        path.write_text("old")
        try:
            with crashing(number):
                write(path, "new")
        except Crash:
            assert path.read_text() in ("old", "new")
            assert names(path) == ["file"]
        else:
            break
    assert number > 5


def test_what_a_killed_run_left_is_removed(path: Path) -> None:
    """A temporary file that no living process has locked goes with the next write."""
    leftover(path)
    write(path, "new")
    assert names(path) == ["file"]


def test_another_writers_temporary_file_stays(path: Path) -> None:
    """Who is still writing keeps its file; so does who merely has a similar name."""
    theirs = leftover(path)
    similar = path.parent / ".file2.rotator-0123456789abcdef"
    similar.write_text("another target's")
    with theirs.open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        write(path, "new")
    assert path.read_text() == "new"
    assert theirs.read_text() == "unfinished"
    assert similar.exists()


def test_a_leftover_that_cannot_be_removed_is_no_obstacle(path: Path) -> None:
    """A directory or link of that name is somebody's joke: it stays, and is not followed."""
    (path.parent / ".file.rotator-0").mkdir()
    (path.parent / ".file.rotator-1").symlink_to(path)
    write(path, "new")
    assert path.read_text() == "new"
    assert names(path) == [".file.rotator-0", ".file.rotator-1", "file"]


def test_a_temporary_file_swept_too_early_is_made_again(path: Path) -> None:
    """Another writer may look between making the file and locking it."""

    def sweep() -> None:
        for found in path.parent.glob(".file.rotator-*"):
            found.unlink()

    with before(sweep, frozenset({"flock"})):
        write(path, "new")
    assert path.read_text() == "new"
    assert names(path) == ["file"]


def test_a_file_system_without_locks_will_do(path: Path) -> None:
    """Without locks nothing is swept, and all else works."""
    with failing("flock", errno.ENOLCK):
        write(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize(
    ("number", "fatal"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)]
)
def test_a_directory_that_cannot_be_synced(path: Path, number: int, *, fatal: bool) -> None:
    """Some file systems can't do that and need not; a broken disk is an error."""
    with failing("fsync", number, times=2):
        if fatal:
            with pytest.raises(OSError, match="Input/output"):
                write(path, "new")
        else:
            write(path, "new")
    assert path.read_text() == "new"


def test_durable_means_file_and_directory(path: Path) -> None:
    """The text is synced before the rename, the name after it."""
    for durable, expected in ((True, ["file", "directory"]), (False, [])):
        synced: list[str] = []
        with before(lambda synced=synced: synced.append("file"), frozenset({"fsync"})):  # type: ignore[misc]  # bound now
            write(path, "new", durable=durable)
        with before(
            lambda synced=synced: synced.append("directory"),  # type: ignore[misc]  # bound now
            frozenset({"fsync"}),
            2,
        ):
            write(path, "new", durable=durable)
        assert synced == expected
