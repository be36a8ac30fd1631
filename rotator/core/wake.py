"""When a daemon runs a rotation's next cycle: asked by its timer and by its heartbeat alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.core.record import Record
    from rotator.core.rotation import Rotation

# Clocks that are kept true by slewing move less than this between two cycles.
_CLOCK_STEP = timedelta(seconds=5)


class Wake(StrEnum):
    """Why a cycle runs now. After `CLOCK_BACK` it is forced: every end looks later than it is."""

    DUE = "due"
    LOGIN = "login"
    CLOCK_BACK = "clock_back"
    CLOCK_FORWARD = "clock_forward"


@dataclass(frozen=True, slots=True)
class Armed:
    """What a daemon waits for, and both clocks just before the cycle that decided it.

    `boot`: seconds on a clock that counts suspended time and is never set (CLOCK_BOOTTIME).
    """

    next_at: datetime
    now: datetime
    boot: float


def wake_reason(
    armed: Armed, rotation: Rotation, record: Record, *, now: datetime, boot: float
) -> Wake | None:
    """Return why a cycle has to run now; None: nothing to do until `armed.next_at`."""
    passed = timedelta(seconds=boot - armed.boot)
    step = now - armed.now - passed
    if step < -_CLOCK_STEP:
        return Wake.CLOCK_BACK
    if step > _CLOCK_STEP:
        return Wake.CLOCK_FORWARD
    if armed.next_at - armed.now <= passed:
        return Wake.DUE
    for source in rotation.sources:
        trouble = record.source(source.name).trouble
        offered = None if trouble is None else trouble.login_stamp
        if offered is not None and offered != source.login_stamp():
            return Wake.LOGIN
    return None
