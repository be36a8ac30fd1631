"""What is slow to make is made once, until something that it was made from is another."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rotator.system.cache import Cache
from tests.support import aged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Made:
    """Something that was made."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that was written some time ago."""
    path = tmp_path / "file"
    path.write_text("s3cr3t-one")
    return aged(path)


def replace(file: Path) -> None:
    """Put another file in its place, as long and as old as it."""
    other = file.with_name("other")
    other.write_text("s3cr3t-two")
    os.utime(other, ns=(0, file.stat().st_mtime_ns))
    other.rename(file)


def edit(file: Path) -> None:
    """Write into the file."""
    file.write_text("s3cr3t-six")
    aged(file, 60)


def test_what_stays_the_same_is_made_once(file: Path) -> None:
    """The same key and the same files: the same thing."""
    cache: Cache[Made] = Cache()
    first = cache.get("key", [file], Made)
    assert cache.get("key", [file], Made) is first
    assert cache.get("other", [file], Made) is not first


@pytest.mark.parametrize("change", [replace, edit, os.unlink])
def test_another_file_counts_at_once(file: Path, change: Callable[[Path], None]) -> None:
    """A file that is replaced, edited or gone makes the thing anew, once."""
    cache: Cache[Made] = Cache()
    first = cache.get("key", [file], Made)
    change(file)
    second = cache.get("key", [file], Made)
    assert second is not first
    assert cache.get("key", [file], Made) is second


def test_a_file_that_appears_counts(tmp_path: Path) -> None:
    """What is not there is looked for, too."""
    cache: Cache[Made] = Cache()
    path = tmp_path / "late"
    first = cache.get("key", [path], Made)
    assert cache.get("key", [path], Made) is first
    path.touch()
    aged(path)
    assert cache.get("key", [path], Made) is not first


def test_a_file_written_just_now_is_not_trusted(file: Path) -> None:
    """It may be written again within one tick of the file system's clock."""
    cache: Cache[Made] = Cache()
    first = cache.get("key", [file], Made)
    file.touch()
    second = cache.get("key", [file], Made)
    assert second is not first
    assert cache.get("key", [file], Made) is not second


def test_another_environment_counts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any variable may say who we are."""
    cache: Cache[Made] = Cache()
    first = cache.get("key", [file], Made)
    monkeypatch.setenv("AWS_PROFILE", "another")
    assert cache.get("key", [file], Made) is not first


def test_what_else_it_was_made_from_counts(file: Path) -> None:
    """The caller may know more than the files tell."""
    cache: Cache[Made] = Cache()
    first = cache.get("key", [file], Made, also="one")
    assert cache.get("key", [file], Made, also="one") is first
    assert cache.get("key", [file], Made, also="two") is not first


def test_what_changes_meanwhile_counts_at_the_next_call(file: Path) -> None:
    """What is made of a file that is replaced while it is read is not used for the new one."""
    cache: Cache[Made] = Cache()

    def make() -> Made:
        replace(file)
        return Made()

    first = cache.get("key", [file], make)
    assert cache.get("key", [file], Made) is not first


def test_what_cannot_be_made_is_not_cached(file: Path) -> None:
    """An error is for the caller; afterwards nothing older is given."""
    cache: Cache[Made] = Cache()
    first = cache.get("key", [file], Made)
    replace(file)
    with pytest.raises(ZeroDivisionError):
        cache.get("key", [file], lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    assert cache.get("key", [file], Made) is not first


def test_what_is_forgotten_is_made_again(file: Path) -> None:
    """As the caller wants it."""
    cache: Cache[Made] = Cache()
    first = cache.get("key", [file], Made)
    cache.forget("key")
    assert cache.get("key", [file], Made) is not first
