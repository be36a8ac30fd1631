"""Reads the state directory and changes nothing in it: is a daemon running, what is recorded.

For commands that only report. They may run as another user, beside a daemon, on a full disk.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from rotator.core.record import Record

if TYPE_CHECKING:
    from pathlib import Path


def daemon_runs(state_dir: Path) -> bool | None:
    """Tell whether a daemon holds its lock in this directory; None where that is not known."""
    return _is_locked(state_dir / "daemon.lock")


def cycle_runs(state_dir: Path, rotation: str) -> bool | None:
    """Tell whether a cycle of a rotation runs now; None where that is not known."""
    return _is_locked(state_dir / f"{rotation}.cycle.lock")


def _is_locked(path: Path) -> bool | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        # Shared, so that two commands at once don't take each other for a daemon.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    else:
        return False
    finally:
        os.close(file)


def saved_record(state_dir: Path, rotation: str) -> Record:
    """Return the record that the journal keeps, or an empty one where there is none yet.

    Raises `OSError` where it can't be read, and `RecordError` where it is not a record.
    """
    try:
        return Record.parse((state_dir / f"{rotation}.json").read_text("utf-8"))
    except FileNotFoundError:
        return Record()
