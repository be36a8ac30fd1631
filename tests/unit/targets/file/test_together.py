"""Others write the same file: they are waited for, and each sees a whole document."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import ConflictError
from rotator.core.model import Secret
from rotator.system import exchange
from tests.faults import before
from tests.support import until
from tests.unit.targets.file.desk import MARK, NEW, OLD, names_in, publish, target
from tests.unit.targets.file.pairs import login, outcome, rotator
from tests.unit.targets.file.writers import AT_THE_EXCHANGE, THEIRS, rename_over

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("other", [rotator, login], ids=["two rotators", "docker login"])
def test_a_hundred_pairs(path: Path, other: Callable[[Path, str], None]) -> None:
    """No entry is lost, and every reader finds a whole document."""
    found = outcome(path, 100, other)
    assert found.lost == []
    assert found.broken == 0
    assert found.whole > 100
    assert names_in(path.parent) == [path.name]


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


def test_only_one_of_two_gets_through(path: Path) -> None:
    """Two who have read the same: the second gets a conflict, whoever they are."""
    first, second = target(path), target(path)
    held = first.read(), second.read()
    first.write(Secret(NEW), MARK, held[0])
    with pytest.raises(ConflictError):
        second.write(Secret(OLD), MARK, held[1])
    assert path.read_text() == f"{NEW}\n"
