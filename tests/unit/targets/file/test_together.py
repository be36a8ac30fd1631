"""Others write the same file at the same time: nothing is lost, and nothing of ours stays."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import ConflictError, DriverError, Reason
from rotator.core.model import Secret
from rotator.system import exchange
from rotator.system.exchange import version
from tests.faults import before, failing
from tests.support import until
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
from tests.unit.targets.file.pairs import login, outcome, rotator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

THEIRS, LATER = '{"auths":{"theirs":{}}}', '{"auths":{"later":{}}}'
AT_THE_EXCHANGE = frozenset({"renameat2"})


def rename_over(path: Path, text: str) -> None:
    """Write as `docker login` does."""
    draft = path.with_name("draft")
    draft.write_text(text)
    draft.replace(path)


def one_by_one(*steps: Callable[[], object]) -> Callable[[], object]:
    """Return a function that takes the next step each time it is called."""
    left = list(steps)

    def step() -> None:
        left.pop(0)()

    return step


@pytest.mark.parametrize("other", [rotator, login], ids=["two rotators", "docker login"])
def test_a_hundred_pairs(path: Path, other: Callable[[Path, str], None]) -> None:
    """No entry is lost, and every reader finds a whole document."""
    found = outcome(path, 100, other)
    assert found.lost == []
    assert found.broken == 0
    assert found.whole > 100
    assert names_in(path.parent) == [path.name]


@pytest.mark.parametrize("how", [rename_over, Path.write_text], ids=["rename", "in place"])
def test_a_write_in_the_last_gap(path: Path, how: Callable[[Path, str], None]) -> None:
    """Between the last look and the exchange: theirs is put back, and merged by the next try."""
    found = target(path)
    held = found.read()
    with before(lambda: how(path, THEIRS), AT_THE_EXCHANGE), pytest.raises(ConflictError):
        found.write(Secret(NEW), MARK, held)
    assert path.read_text() == THEIRS
    assert names_in(path.parent) == [path.name]
    publish(path)
    assert path.read_text() == f"{NEW}\n"


def test_the_same_size_at_the_same_time(path: Path) -> None:
    """A text that differs in nothing but its letters is another all the same."""
    found = target(path)
    held = found.read()
    status = path.stat()
    other = OLD.replace("old", "odd")

    def overwrite() -> None:
        path.write_text(f"{other}\n")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    for when in (AT_THE_EXCHANGE, frozenset({"fsync"})):
        with before(overwrite, when), pytest.raises(ConflictError):
            found.write(Secret(NEW), MARK, held)
        assert path.read_text() == f"{other}\n"


@pytest.mark.parametrize("how", ["replace", "in_place"])
def test_the_same_text_written_again(path: Path, how: str) -> None:
    """It is another file with another owner, perhaps: it is read again first."""
    found = target(path, write=how)
    held = found.read()
    rename_over(path, f"{OLD}\n")
    with pytest.raises(ConflictError):
        found.write(Secret(NEW), MARK, held)


@pytest.mark.parametrize(
    "instead",
    [lambda path: path.symlink_to("/nowhere"), lambda path: path.mkdir(), os.mkfifo],
    ids=["link", "directory", "pipe"],
)
def test_something_else_in_the_last_gap(path: Path, instead: Callable[[Path], None]) -> None:
    """It is put back as it was: a person has to look at it."""

    def swap() -> None:
        path.unlink()
        instead(path)

    found = target(path)
    held = found.read()
    with before(swap, AT_THE_EXCHANGE), pytest.raises(ConflictError):
        found.write(Secret(NEW), MARK, held)
    assert path.is_symlink() or path.is_dir() or path.is_fifo()
    assert names_in(path.parent) == [path.name]


def test_a_file_that_is_removed_in_the_last_gap(path: Path) -> None:
    """There is nothing to exchange with; the next try makes it again."""
    found = target(path)
    held = found.read()
    with before(path.unlink, AT_THE_EXCHANGE), pytest.raises(DriverError) as caught:
        found.write(Secret(NEW), MARK, held)
    assert caught.value.reason == Reason.CONFLICT
    assert names_in(path.parent) == []


def test_a_file_that_is_made_in_the_last_gap(folder: Path) -> None:
    """Where nothing was, theirs stays."""
    path = folder / "config.json"
    found = target(path)
    held = found.read()
    with (
        before(lambda: rename_over(path, THEIRS), frozenset({"link"})),
        pytest.raises(ConflictError),
    ):
        found.write(Secret(NEW), MARK, held)
    assert path.read_text() == THEIRS
    assert names_in(folder) == [path.name]


def test_a_second_write_before_theirs_is_put_back(path: Path) -> None:
    """Two others are faster: the later one's text stays, as it would have without us."""
    others = one_by_one(lambda: rename_over(path, THEIRS), lambda: rename_over(path, LATER))
    found = target(path)
    held = found.read()
    with before(others, AT_THE_EXCHANGE, times=2), pytest.raises(ConflictError):
        found.write(Secret(NEW), MARK, held)
    assert path.read_text() == LATER
    assert names_in(path.parent) == [path.name]


def test_removed_before_theirs_is_put_back(path: Path) -> None:
    """Who takes the file away wants none there."""
    others = one_by_one(lambda: rename_over(path, THEIRS), path.unlink)
    found = target(path)
    held = found.read()
    with before(others, AT_THE_EXCHANGE, times=2), pytest.raises(ConflictError):
        found.write(Secret(NEW), MARK, held)
    assert names_in(path.parent) == []


def test_nobody_builds_on_what_is_taken_back(path: Path) -> None:
    """Who opens our file before theirs is put back waits, and then reads theirs."""
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(path.read_text()))

    def start_reading() -> None:
        reader.start()
        until(lambda: "BREAKING" in Path("/proc/locks").read_text(), what="the reader to wait")

    others = one_by_one(lambda: rename_over(path, THEIRS), start_reading)
    found = target(path)
    held = found.read()
    with before(others, AT_THE_EXCHANGE, times=2), pytest.raises(ConflictError):
        found.write(Secret(NEW + " " * 200), MARK, held)
    reader.join(30)
    assert read == [THEIRS]


def test_a_writer_that_has_the_file_open(path: Path) -> None:
    """Somebody is in the midst of writing over the old text: it is waited for, and stays."""
    found = target(path)
    held = found.read()
    inode = path.stat().st_ino

    def write_on() -> None:
        until(lambda: path.stat().st_ino != inode, what="the exchange")
        with stream:
            stream.write(THEIRS)

    writer = threading.Thread(target=write_on)
    with (
        path.open("r+") as stream,
        before(writer.start, AT_THE_EXCHANGE),
        pytest.raises(ConflictError),
    ):
        found.write(Secret(NEW), MARK, held)
    writer.join(30)
    assert path.read_text().startswith(THEIRS)


def test_a_writer_that_never_ends(path: Path) -> None:
    """Somebody who has the file open for good keeps nobody from a fresh document."""
    with path.open("r+"):
        publish(path)
    assert path.read_text() == f"{NEW}\n"


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


def test_rotators_lock_each_other_out(path: Path) -> None:
    """While one writes, another waits; who holds the lock for ever is not waited for so long."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        writer = threading.Thread(target=publish, args=(path,))
        writer.start()
        until(lambda: waits_for(directory), what="the other to wait")
        assert path.read_text() == f"{OLD}\n"
        fcntl.flock(directory, fcntl.LOCK_UN)
        writer.join(30)
        assert path.read_text() == f"{NEW}\n"
        fcntl.flock(directory, fcntl.LOCK_EX)
        publish(path, OLD)
        assert path.read_text() == f"{OLD}\n"
    finally:
        os.close(directory)
    assert names_in(path.parent) == [path.name]


def waits_for(directory: int) -> bool:
    """Tell whether somebody else in this process has opened the directory that is locked."""
    mine = os.fstat(directory)
    opened = 0
    for found in Path("/proc/self/fd").iterdir():
        try:
            opened += os.path.samestat(found.stat(), mine)
        except OSError:
            continue
    return opened > 1


def test_a_reader_waits_while_names_are_exchanged(path: Path) -> None:
    """Another rotator's read is no failure because somebody writes at that instant."""
    file = os.open(path, os.O_RDWR)
    with exchange.alone(file) as waiting:
        assert waiting
        found: list[object] = []
        reader = threading.Thread(target=lambda: found.append(target(path).read().text))
        reader.start()
        until(lambda: "BREAKING" in Path("/proc/locks").read_text(), what="the reader to wait")
        assert found == []
    reader.join(30)
    os.close(file)
    assert found == [Secret(OLD)]


def test_in_place_lets_others_wait(path: Path) -> None:
    """Where the kernel can do that, nobody reads what is not yet whole."""
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(path.read_text()))

    def start_reading() -> None:
        reader.start()
        until(lambda: "BREAKING" in Path("/proc/locks").read_text(), what="the reader to wait")

    with before(start_reading, frozenset({"pwrite"})):
        publish(path, NEW + " " * 200 + ".", write="in_place")
    reader.join(30)
    assert read == [f"{NEW}{' ' * 200}.\n"]


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


def test_only_one_of_two_gets_through(path: Path) -> None:
    """Two who have read the same: the second gets a conflict, whoever they are."""
    first, second = target(path), target(path)
    held = first.read(), second.read()
    first.write(Secret(NEW), MARK, held[0])
    with pytest.raises(ConflictError):
        second.write(Secret(OLD), MARK, held[1])
    assert path.read_text() == f"{NEW}\n"
