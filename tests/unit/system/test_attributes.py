"""The mark on a file: there and back, garbage, and file systems without room for it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from rotator.core.model import Mark
from rotator.system import attributes
from rotator.system.attributes import attach, mark_on
from tests.faults import failing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARK = Mark({"one.example.com": None}, "hmac:0123456789ab", "dind")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    """Return an open file."""
    with (tmp_path / "file").open("w+b") as stream:
        yield stream.fileno()


def test_there_and_back(file: int) -> None:
    """What is attached is found again."""
    assert mark_on(file) is None
    assert attach(file, MARK)
    assert mark_on(file) == MARK


@pytest.mark.parametrize(
    "garbage", [b"", b"\xff", b"{", b"[]", b"7", b"{}", b"[" * 60_000], ids=lambda data: data[:9]
)
def test_garbage_is_no_mark(tmp_path: Path, garbage: bytes) -> None:
    """Whatever somebody put there, it is tolerated."""
    path = tmp_path / "file"
    path.touch()
    try:
        os.setxattr(path, attributes.MARK, garbage)
    except OSError:  # more than this file system has room for
        os.setxattr(path, attributes.MARK, garbage[:1000])
    with path.open() as stream:
        assert mark_on(stream.fileno()) is None


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENOSPC, errno.E2BIG])
def test_no_room_leaves_no_mark_at_all(file: int, number: int) -> None:
    """An older mark would say wrong things about the new content."""
    attach(file, MARK)
    with failing("setxattr", number):
        assert not attach(file, MARK)
    assert mark_on(file) is None
    with failing("setxattr", number):
        assert not attach(file, MARK)
