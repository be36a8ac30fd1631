"""Only what is not there for certain is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.system.missing import is_missing
from tests.privileges import obey_modes

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    """A file on the way has nothing in it; a link that leads nowhere is nothing."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    found = {name: is_missing(tmp_path / name) for name in ("file", "file/x", "nothing", "link")}
    assert found == {"file": False, "file/x": True, "nothing": True, "link": True}


def test_what_can_not_be_known(tmp_path: Path) -> None:
    """A directory that may not be entered, a loop and a name that is too long raise nothing."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "shut").mkdir(mode=0)
    obey_modes(on=True)
    try:
        names = ("loop", "shut/x", "n" * 300)
        assert [is_missing(tmp_path / name) for name in names] == [False, False, False]
    finally:
        obey_modes(on=False)
