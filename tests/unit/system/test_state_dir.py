"""Whose the files in the state directory are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rotator.system import state_dir
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
