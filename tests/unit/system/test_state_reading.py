"""Looking into the state directory without changing it."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

import pytest

from rotator.core.record import Record, RecordError
from rotator.system.journal import FileJournal
from rotator.system.lock import daemon_lock
from rotator.system.state_reading import daemon_runs, saved_record

if TYPE_CHECKING:
    from pathlib import Path


def quiet(text: str) -> None:
    """Fail on a warning."""
    pytest.fail(text)


def test_daemon(tmp_path: Path) -> None:
    """It runs while it holds its lock; a lock file that is left tells nothing."""
    state = tmp_path / "state"
    assert daemon_runs(state) is False
    with daemon_lock(state, quiet):
        assert daemon_runs(state) is True
        assert daemon_runs(state) is True
    assert (state / "daemon.lock").exists()
    assert daemon_runs(state) is False
    with daemon_lock(state, quiet):
        pass


def test_two_who_look_see_no_daemon(tmp_path: Path) -> None:
    """The look itself is not taken for a daemon."""
    file = tmp_path / "daemon.lock"
    file.touch()
    with file.open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert daemon_runs(tmp_path) is False


def test_not_known(tmp_path: Path) -> None:
    """Where the lock can't be looked at, that is the answer."""
    (tmp_path / "daemon.lock").symlink_to("elsewhere")
    assert daemon_runs(tmp_path) is None


def test_record(tmp_path: Path) -> None:
    """What the journal saved comes back; nothing there is an empty record."""
    assert saved_record(tmp_path, "dind") == Record()
    record = Record(outcome="fresh", job_safe=True)
    FileJournal(tmp_path, "dind", quiet).save(record)
    assert saved_record(tmp_path, "dind") == record


def test_a_broken_record_stays_where_it_is(tmp_path: Path) -> None:
    """The journal sets it aside; who only looks does not."""
    broken = tmp_path / "dind.json"
    broken.write_text("{")
    with pytest.raises(RecordError):
        saved_record(tmp_path, "dind")
    assert [path.name for path in tmp_path.iterdir()] == ["dind.json"]
