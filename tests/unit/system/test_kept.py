"""What is slow to make is made once, until something that it was made from is another."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rotator.system.kept import Kept
from tests.support import settled

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
    return settled(path)


def replace(file: Path) -> None:
    """Put another file in its place, as long and as old as it."""
    other = file.with_name("other")
    other.write_text("s3cr3t-two")
    os.utime(other, ns=(0, file.stat().st_mtime_ns))
    other.rename(file)


def edit(file: Path) -> None:
    """Write into the file."""
    file.write_text("s3cr3t-six")
    settled(file, 60)


def test_what_stays_the_same_is_made_once(file: Path) -> None:
    """The same key and the same files: the same thing."""
    kept: Kept[Made] = Kept()
    first = kept.get("key", [file], Made)
    assert kept.get("key", [file], Made) is first
    assert kept.get("other", [file], Made) is not first


@pytest.mark.parametrize("change", [replace, edit, os.unlink])
def test_another_file_counts_at_once(file: Path, change: Callable[[Path], None]) -> None:
    """A file that is replaced, edited or gone makes the thing anew, once."""
    kept: Kept[Made] = Kept()
    first = kept.get("key", [file], Made)
    change(file)
    second = kept.get("key", [file], Made)
    assert second is not first
    assert kept.get("key", [file], Made) is second


def test_a_file_that_appears_counts(tmp_path: Path) -> None:
    """What is not there is looked for, too."""
    kept: Kept[Made] = Kept()
    path = tmp_path / "late"
    first = kept.get("key", [path], Made)
    assert kept.get("key", [path], Made) is first
    path.touch()
    settled(path)
    assert kept.get("key", [path], Made) is not first


def test_a_file_written_just_now_is_not_trusted(file: Path) -> None:
    """It may be written again within one tick of the file system's clock."""
    kept: Kept[Made] = Kept()
    first = kept.get("key", [file], Made)
    file.touch()
    second = kept.get("key", [file], Made)
    assert second is not first
    assert kept.get("key", [file], Made) is not second


def test_another_environment_counts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any variable may say who we are."""
    kept: Kept[Made] = Kept()
    first = kept.get("key", [file], Made)
    monkeypatch.setenv("AWS_PROFILE", "another")
    assert kept.get("key", [file], Made) is not first


def test_what_else_it_was_made_from_counts(file: Path) -> None:
    """The caller may know more than the files tell."""
    kept: Kept[Made] = Kept()
    first = kept.get("key", [file], Made, also="one")
    assert kept.get("key", [file], Made, also="one") is first
    assert kept.get("key", [file], Made, also="two") is not first


def test_what_changes_meanwhile_counts_at_the_next_call(file: Path) -> None:
    """What is made of a file that is replaced while it is read is not kept for the new one."""
    kept: Kept[Made] = Kept()

    def make() -> Made:
        replace(file)
        return Made()

    first = kept.get("key", [file], make)
    assert kept.get("key", [file], Made) is not first


def test_what_cannot_be_made_is_not_kept(file: Path) -> None:
    """An error is for the caller; afterwards nothing older is given."""
    kept: Kept[Made] = Kept()
    first = kept.get("key", [file], Made)
    replace(file)
    with pytest.raises(ZeroDivisionError):
        kept.get("key", [file], lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    assert kept.get("key", [file], Made) is not first


def test_what_is_forgotten_is_made_anew(file: Path) -> None:
    """As the caller wants it."""
    kept: Kept[Made] = Kept()
    first = kept.get("key", [file], Made)
    kept.forget("key")
    assert kept.get("key", [file], Made) is not first
