"""Somebody writes between our last look at a file and the exchange."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import ConflictError, DriverError, Reason
from rotator.core.model import Secret
from tests.faults import before
from tests.support import until
from tests.unit.targets.file.desk import MARK, NEW, names_in, publish, target
from tests.unit.targets.file.writers import AT_THE_EXCHANGE, LATER, THEIRS, rename_over

if TYPE_CHECKING:
    from collections.abc import Callable


def one_by_one(*steps: Callable[[], object]) -> Callable[[], object]:
    """Return a function that takes the next step each time it is called."""
    left = list(steps)

    def step() -> None:
        left.pop(0)()

    return step


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
