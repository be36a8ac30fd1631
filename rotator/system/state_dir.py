"""The state directory: it is made when missing, and its files belong to its owner.

A command that root types must leave nothing there that the service can't write, as it is another
user.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from rotator.core.record import Record
from rotator.system.file_errors import WRITE, explained, obstacle
from rotator.system.input_file import read_plain
from rotator.system.missing import is_missing

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.core.errors import DriverError


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


def write_problem(state_dir: Path, rotation: str) -> DriverError | None:
    """Return why a record could not be saved now, as far as that shows without a try."""
    directory = next(one for one in (state_dir, *state_dir.parents) if not is_missing(one))
    try:
        number = obstacle(directory) if directory.is_dir() else errno.ENOTDIR
    except OSError as error:
        number = error.errno or errno.EIO
    if not number:
        return None
    problem = OSError(number, os.strerror(number))
    return explained(state_dir / f"{rotation}.json", WRITE, problem)
