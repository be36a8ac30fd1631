"""The daemon's rotations, without its threads: what two of them do at the same time is played."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from rotator.app import utc_now
from rotator.slots import Runtime, Slot, Slots
from rotator.system.process import Notify, steady_seconds
from tests.unit.daemon.place import Place

if TYPE_CHECKING:
    from pathlib import Path


class BeginsMeanwhile:
    """A turn that is taken and given back while the main loop looks at it."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot

    def locked(self) -> bool:
        """Let a cycle begin, and say that none was running before."""
        self.slot.armed = None
        return False


def test_a_cycle_that_begins_while_the_main_loop_wakes(tmp_path: Path) -> None:
    """It has a thread of its own; the daemon ended where it began between two reads."""
    log = structlog.wrap_logger(None, processors=[structlog.testing.LogCapture()])
    slots = Slots(Runtime(log, Notify({}), utc_now, steady_seconds), lambda: None)
    slots.swap(Place(tmp_path).load())
    try:
        (slot,) = slots.current
        slot.turn = BeginsMeanwhile(slot)  # type: ignore[assignment]
        slots.wake()
    finally:
        slots.close()
