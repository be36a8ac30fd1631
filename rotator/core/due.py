"""Which sources are due, when the next cycle begins, and what makes a daemon begin it early."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core import schedule
from rotator.core.candidate import FOREVER, Candidate
from rotator.core.choose import standby_of
from rotator.core.rotation import registries_of
from rotator.core.schedule import CLOCK_STEP, SECOND, is_ahead

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from rotator.core.candidate import Candidates
    from rotator.core.ports import Random, Source, Target
    from rotator.core.record import Record
    from rotator.core.rotation import Rotation


class Wake(StrEnum):
    """Why a cycle runs now. `CLOCK_BACK` forces a fetch: all ends look later than they are."""

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


def needed_sources(
    rotation: Rotation,
    chosen: Mapping[str, Candidate],
    candidates: Candidates,
    record: Record,
    now: datetime,
    *,
    force: bool = False,
) -> list[Source]:
    """Return the sources that have to be asked; some have to wait first, see `is_waiting`."""
    newest = dict(chosen)
    newest |= {one.registry: one for one in standby_of(candidates, chosen, now)}
    known_now = resolved(candidates, record)
    return [s for s in rotation.sources if force or _is_needed(s, newest, known_now, record, now)]


def abandoned_sources(candidates: Candidates, record: Record) -> frozenset[str]:
    """Return the sources whose pending credential is still rejected though `settle` is over.

    The source has failed then, and waits: another credential would most likely be rejected too.
    """
    pending = [candidates.get((r, one.fingerprint)) for r, one in record.pending.items()]
    return frozenset(one.source for one in pending if one and one.rejected and not one.pending)


def resolved(candidates: Candidates, record: Record) -> set[str]:
    """Return the registries that no longer reject the credential that was pending until now."""
    return {
        registry
        for registry, pending in record.pending.items()
        for one in [candidates.get((registry, pending.fingerprint))]
        if one is not None and not one.rejected
    }


def is_waiting(source: Source, record: Record, now: datetime) -> bool:
    """Tell whether a source that failed has to be left alone for a while."""
    past = record.source(source.name)
    if past.failure is None or past.attempted_at is None:
        return False
    stamp = past.failure.login_stamp
    if stamp is not None and stamp != source.login_stamp():
        return False
    # An attempt in the future: the clock went back, so the wait is wrong too.
    return past.attempted_at <= now < past.failure.retry_at


def _is_needed(
    source: Source,
    newest: Mapping[str, Candidate],
    known_now: Collection[str],
    record: Record,
    now: datetime,
) -> bool:
    past = record.source(source.name)
    registries = registries_of(source, past)
    if not registries or past.changed or any(one not in newest for one in registries):
        return True
    if any(newest[registry].pending for registry in registries):
        return False
    endless = any(newest[registry].end == FOREVER for registry in registries)
    never_polled = past.poll_at is None and (source.changes_early or endless)
    if never_polled or _is_clock_back(record, now):
        return True
    if past.poll_at is not None and past.poll_at <= now:
        return True
    return any(_is_renewal_due(newest[r], record, now) for r in registries if r not in known_now)


def _is_clock_back(record: Record, now: datetime) -> bool:
    """Tell whether the clock went back since the last cycle: every end looks later than it is."""
    return record.ended_at is not None and is_ahead(record.ended_at, now)


def _is_renewal_due(one: Candidate, record: Record, now: datetime) -> bool:
    """Tell whether the time to renew a credential has come."""
    if not one.end_known:
        return True
    known = record.known(one.registry, one.fingerprint)
    if known is None or known.expires_at != one.credential.expires_at:
        # Found in a target, or lengthened by its owner: its time is set before the first write.
        return False
    return known.renew_at is not None and known.renew_at <= now


def next_at(
    record: Record,
    rotation: Rotation,
    again: Iterable[datetime | None],
    now: datetime,
    random: Random,
) -> datetime:
    """Return when the next cycle begins: at the first time that something needs one.

    `again`: when targets that were left as they are have to be read again.
    """
    times = [schedule.poll_at(now, rotation.schedule, u=random())]
    times += [time for time in again if time is not None]
    pending = {r: p for r, p in record.pending.items() if rotation.within_settle(p.since, now)}
    for source in rotation.sources:
        past = record.source(source.name)
        if past.failure is not None:
            times.append(past.failure.retry_at)
            continue
        registries = registries_of(source, past)
        if any(registry in pending for registry in registries):
            continue
        times += [past.poll_at] if past.poll_at else []
        for registry in registries:
            newest = record.credentials.get(registry, ())[:1]
            times += [known.renew_at for known in newest if known.renew_at is not None]
    for one in pending.values():
        times.append(min(now + schedule.pending_wait(one.tries), one.since + rotation.settle))
    for target in filter(lambda target: target.policy.enabled, rotation.targets):
        past_target = record.target(target.name)
        if past_target.failure is not None:
            times.append(past_target.failure.retry_at)
    names = {source.name for source in rotation.sources}
    times += [retired.revoke_at for retired in record.retired if retired.source in names]
    return max(min(times), now + SECOND)


def wake_reason(
    armed: Armed, rotation: Rotation, record: Record, *, now: datetime, boot: float
) -> Wake | None:
    """Return why a cycle has to run now; None: nothing to do until `armed.next_at`."""
    passed = timedelta(seconds=boot - armed.boot)
    step = now - armed.now - passed
    if step < -CLOCK_STEP or _is_clock_back(record, now):
        return Wake.CLOCK_BACK
    if step > CLOCK_STEP:
        return Wake.CLOCK_FORWARD
    if armed.next_at - armed.now <= passed:
        return Wake.DUE
    drivers: tuple[Source | Target, ...] = (*rotation.sources, *rotation.targets)
    failures = [record.source(source.name).failure for source in rotation.sources]
    failures += [record.target(target.name).failure for target in rotation.targets]
    for driver, failure in zip(drivers, failures, strict=True):
        offered = None if failure is None else failure.login_stamp
        if offered is not None and offered != driver.login_stamp():
            return Wake.LOGIN
    return None
