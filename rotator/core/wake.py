"""When a rotation's next cycle runs: told by the last one, and asked by a daemon's heartbeat."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core import schedule

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.core.facts import Moment
    from rotator.core.ports import Source, Target
    from rotator.core.record import Record
    from rotator.core.rotation import Rotation

# Clocks that are kept true by slewing move less than this between two cycles.
_CLOCK_STEP = timedelta(seconds=5)


# A read that was too young to be believed is looked at again by then.
_STALE_READ = timedelta(seconds=61)


class Wake(StrEnum):
    """Why a cycle runs now. After `CLOCK_BACK` it is forced: every end looks later than it is."""

    DUE = "due"
    LOGIN = "login"
    CLOCK_BACK = "clock_back"
    CLOCK_FORWARD = "clock_forward"


class Armed(Struct, frozen=True):
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
    # A record from the future: the clock was ahead only while its cycle ran.
    future = record.ended_at is not None and record.ended_at > now + _CLOCK_STEP
    if step < -_CLOCK_STEP or future:
        return Wake.CLOCK_BACK
    if step > _CLOCK_STEP:
        return Wake.CLOCK_FORWARD
    if armed.next_at - armed.now <= passed:
        return Wake.DUE
    drivers: tuple[Source | Target, ...] = (*rotation.sources, *rotation.targets)
    troubles = [record.source(source.name).trouble for source in rotation.sources]
    troubles += [record.target(target.name).trouble for target in rotation.targets]
    for driver, trouble in zip(drivers, troubles, strict=True):
        offered = None if trouble is None else trouble.login_stamp
        if offered is not None and offered != driver.login_stamp():
            return Wake.LOGIN
    return None


def next_at(record: Record, rotation: Rotation, at: Moment) -> datetime:
    """Return when the next cycle begins: whatever comes first, never in the past."""
    times = [schedule.poll_at(at.now, rotation.schedule, u=at.draw())]
    for source in rotation.sources:
        past = record.source(source.name)
        if past.trouble is not None:
            times.append(past.trouble.retry_at)
            continue
        times += [past.poll_at] if past.poll_at else []
        for registry in source.registries or past.registries:
            newest = record.credentials.get(registry, ())[:1]
            times += [known.renew_at for known in newest if known.renew_at is not None]
    for target in filter(lambda target: target.policy.enabled, rotation.targets):
        past_target = record.target(target.name)
        if past_target.trouble is not None:
            times.append(past_target.trouble.retry_at)
        elif past_target.outcome == "stale" and past_target.written_at is not None:
            times.append(past_target.written_at + _STALE_READ)
    names = {source.name for source in rotation.sources}
    times += [retired.revoke_at for retired in record.retired if retired.source in names]
    return max(min(times), at.now + timedelta(seconds=1))
