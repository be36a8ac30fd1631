"""Whose the files in the state directory are, and what is read of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rotator.core.record import Record, RecordError
from rotator.system import state_dir
from rotator.system.journal import FileJournal
from tests.support import missing

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = 65534


def test_root_gives_files_to_the_directorys_owner(tmp_path: Path) -> None:
    """Only root can, so for others the system decides."""
    if os.geteuid():
        missing("root", "sudo make test")
    os.chown(tmp_path, 12345, 54321)
    assert state_dir.owner(tmp_path) == (12345, 54321)
    os.seteuid(NOBODY)
    try:
        assert state_dir.owner(tmp_path) == (-1, -1)
    finally:
        os.seteuid(0)


def test_record(tmp_path: Path) -> None:
    """What the journal saved comes back; nothing there is an empty record."""
    assert state_dir.saved_record(tmp_path, "dind") == Record()
    record = Record(outcome="fresh", job_safe=True)
    FileJournal(tmp_path, "dind", pytest.fail).save(record)
    assert state_dir.saved_record(tmp_path, "dind") == record


def test_a_broken_record_stays_where_it_is(tmp_path: Path) -> None:
    """The journal sets it aside; who only looks does not."""
    broken = tmp_path / "dind.json"
    broken.write_text("{")
    with pytest.raises(RecordError):
        state_dir.saved_record(tmp_path, "dind")
    assert [path.name for path in tmp_path.iterdir()] == ["dind.json"]
