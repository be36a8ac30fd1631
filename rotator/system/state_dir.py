"""The state directory: it is made when missing, and its files belong to its owner.

A command that root types must leave nothing there that the service can't write, as it is another
user.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rotator.core.record import Record
from rotator.system.input_file import read_plain

if TYPE_CHECKING:
    from pathlib import Path


def prepare(state_dir: Path) -> None:
    """Make the directory where it is missing, for its owner alone; raise `OSError` if it can't."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


def owner(state_dir: Path) -> tuple[int, int]:
    """Return the uid and gid that files in it get: the directory's where we are root, else -1."""
    if os.geteuid():
        return -1, -1
    status = state_dir.stat()
    return status.st_uid, status.st_gid


def saved_record(state_dir: Path, rotation: str) -> Record:
    """Return the saved record, or an empty one; raise `OSError` or `RecordError`."""
    try:
        return Record.parse(read_plain(state_dir / f"{rotation}.json").decode())
    except FileNotFoundError:
        return Record()
