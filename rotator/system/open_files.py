"""Finds who may read a file that should be private."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def readable_by_everybody(file: Path) -> str:
    """Return a sentence where every user of this machine can read a file; else an empty text."""
    try:
        mode = file.stat().st_mode
        parents = [parent.stat().st_mode for parent in file.absolute().parents]
    except OSError:
        return ""
    if not mode & stat.S_IROTH or not all(parent & stat.S_IXOTH for parent in parents):
        return ""
    return f"everybody on this machine can read {file} (mode {stat.S_IMODE(mode):04o})"
