"""What is mounted, as far as the system tells (who has a file mounted: see `inspect_file`)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from rotator.system import mounts
from tests.faults import failing

if TYPE_CHECKING:
    from pathlib import Path


def test_a_mount_point(tmp_path: Path) -> None:
    """Where nothing is told of mounts, it is none."""
    assert "/proc" in mounts.points()
    assert str(tmp_path) not in mounts.points()
    with failing("open", errno.EACCES):
        assert mounts.points() == frozenset()


def test_a_path_on_no_mount(tmp_path: Path) -> None:
    """In a table that leaves out where it is, nobody has it mounted."""
    assert mounts.place(tmp_path, []) is None
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text("")
    assert mounts.holders(tmp_path, tmp_path.stat(), tmp_path) == ([], 0)


def test_without_proc_nobody_can_be_searched(tmp_path: Path) -> None:
    """As in a container that has none: whether the file is mounted somewhere is not known."""
    assert mounts.holders(tmp_path, tmp_path.stat(), tmp_path / "proc") == ([], 1)
