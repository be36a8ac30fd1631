"""What a rotator left that was killed while two files changed names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.system import atomic_file, exchange

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file that holds `old`."""
    path = tmp_path / "file"
    path.write_text("old")
    return path


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[int]:
    """Return the open directory."""
    with atomic_file.directory(tmp_path) as opened:
        yield opened


@pytest.fixture
def draft(path: Path) -> Path:
    """Return a draft under the name that it has just before the exchange."""
    draft = path.with_name("draft")
    draft.write_text("new")
    versions = (exchange.version(found.stat()) for found in (draft, path))
    return draft.rename(path.with_name(exchange._under_way(path.name, *versions)))


def swap(one: Path, other: Path) -> None:
    """Let two files change names."""
    one.rename(one.with_name("aside"))
    other.rename(one)
    one.with_name("aside").rename(other)


def finish(opened: int, path: Path, draft: Path) -> None:
    """Do what the next write does first; the draft is gone then."""
    assert exchange.is_under_way(path.name, draft.name)
    exchange.finish(opened, path.name, draft.name)
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_killed_before_the_exchange(opened: int, path: Path, draft: Path) -> None:
    """The draft was never published."""
    finish(opened, path, draft)
    assert path.read_text() == "old"


def test_killed_after_it(opened: int, path: Path, draft: Path) -> None:
    """What came out is what had been read."""
    swap(path, draft)
    finish(opened, path, draft)
    assert path.read_text() == "new"


def test_killed_with_the_only_copy_of_what_somebody_wrote(
    opened: int, path: Path, draft: Path
) -> None:
    """It goes back to its place."""
    path.write_text("theirs")
    swap(path, draft)
    finish(opened, path, draft)
    assert path.read_text() == "theirs"


def test_killed_and_written_since(opened: int, path: Path, draft: Path) -> None:
    """What came later stays."""
    path.write_text("theirs")
    swap(path, draft)
    path.write_text("later")
    finish(opened, path, draft)
    assert path.read_text() == "later"


def test_killed_and_removed_since(opened: int, path: Path, draft: Path) -> None:
    """Nothing is there any more."""
    path.write_text("theirs")
    swap(path, draft)
    path.unlink()
    exchange.finish(opened, path.name, draft.name)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("name", [".file.rotator-0123456789abcdef", ".file2.rotator-exchange-1"])
def test_other_names(name: str) -> None:
    """A plain draft is removed otherwise, and another file's is not ours."""
    assert not exchange.is_under_way("file", name)
