"""What is mounted, as far as the system tells (who has a file mounted: see `inspect_file`)."""

from __future__ import annotations

import errno
from pathlib import Path

from rotator.system import mounts
from tests.faults import failing


def test_a_mount_point(tmp_path: Path) -> None:
    """Where nothing is told of mounts, it is none."""
    assert mounts.is_mount_point(Path("/proc"))
    assert not mounts.is_mount_point(tmp_path)
    with failing("open", errno.EACCES):
        assert not mounts.is_mount_point(Path("/proc"))


def test_a_path_on_no_mount(tmp_path: Path) -> None:
    """In a table that leaves out where it is, nobody has it mounted."""
    assert mounts.place(tmp_path, []) is None
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text("")
    assert mounts.holders(tmp_path, tmp_path.stat(), tmp_path) == ([], 0)
