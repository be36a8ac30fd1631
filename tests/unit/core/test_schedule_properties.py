"""What holds of the schedule for every life, every configuration and every chance."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from rotator.core.due import next_at
from rotator.core.record import FailureRecord, KnownCredential, Record, SourceRecord, TargetRecord
from rotator.core.rotation import Rotation
from rotator.core.schedule import (
    ENDLESS,
    Life,
    longest_wait,
    poll_at,
    renew_at,
    retry_wait,
    start_wait,
)
from tests.simulation.world import World, WorldSource, WorldTarget
from tests.support import NOW
from tests.unit.core.strategies import (
    HOST,
    NOTHING,
    SECOND,
    chances,
    lives,
    moments,
    new_examples,
    schedules,
)

if TYPE_CHECKING:
    from rotator.core.model import Schedule

MINUTE = timedelta(minutes=1)
URGENT = 15 * SECOND
# Times are whole microseconds.
ROUNDING = timedelta(microseconds=20)

# Renewal


@new_examples(60)
@given(life=lives, schedule=schedules, first=st.booleans(), u=chances)
def test_a_renewal_is_always_inside_the_life(
    *,
    life: timedelta,
    schedule: Schedule,
    first: bool,
    u: float,
) -> None:
    """Never before the credential was issued, never when it has ended."""
    assert NOW <= renew_at(NOW, NOW + life, schedule, wide=first, u=u) < NOW + life


@new_examples(60)
@given(life=lives, schedule=schedules, first=st.booleans(), u=chances)
def test_a_renewal_leaves_time_for_the_longest_job(
    *,
    life: timedelta,
    schedule: Schedule,
    first: bool,
    u: float,
) -> None:
    """Wherever the longest job leaves more than a tenth of a life."""
    assume(schedule.longest_job < 0.9 * life - SECOND)
    latest = NOW + life - schedule.longest_job
    assert renew_at(NOW, NOW + life, schedule, wide=first, u=u) < latest


@new_examples(60)
@given(schedules, chances)
def test_drift_is_found_within_poll(schedule: Schedule, u: float) -> None:
    """Polls are a little spread, the first one widely, and never later than configured."""
    wait = poll_at(NOW, schedule, u=u) - NOW
    assert 0.9 * schedule.poll - SECOND < wait <= schedule.poll
    wait = poll_at(NOW, schedule, u=u, first=True) - NOW
    assert 0.1 * schedule.poll - SECOND < wait <= schedule.poll


@new_examples(60)
@given(
    schedule=schedules,
    left=lives | st.just(NOTHING),
    whole=lives,
    failures=st.integers(1, 10**6),
    permanent=st.booleans(),
    retry_after=st.none() | st.floats(0, 10**6),
    u=chances,
)
def test_waits_stay_within_bounds(
    *,
    schedule: Schedule,
    left: timedelta,
    whole: timedelta,
    failures: int,
    permanent: bool,
    retry_after: float | None,
    u: float,
) -> None:
    """Never at once, never in the past, never longer than `retry.max` (or a minute) and a tenth."""
    waited = retry_wait(
        schedule,
        Life(left, max(left, whole)),
        failures=failures,
        permanent=permanent,
        retry_after=retry_after,
        u=u,
    )
    assert NOTHING < waited <= 1.1 * max(schedule.retry_max, MINUTE) + SECOND
    if left > schedule.longest_job and retry_after is None:
        assert waited <= max((left - schedule.longest_job) / 2, 15 * SECOND)


@new_examples(60)
@given(schedules, st.timedeltas(NOTHING, timedelta(days=1)), chances)
def test_a_start_never_waits_into_the_reserve(plan: Schedule, safe: timedelta, u: float) -> None:
    """What is put off is still fetched while jobs are safe."""
    waited = start_wait(plan, Life(plan.longest_job + safe), u=u)
    assert NOTHING <= waited <= min(plan.poll, safe)
    assert start_wait(plan, Life(plan.longest_job), u=u) == NOTHING


# The formulas of the design, written down once more.


def offset_of(life: timedelta, plan: Schedule) -> timedelta:
    """Return when a credential is renewed at the latest, after it was issued."""
    longest, offset = plan.longest_job, plan.renew_after * life
    if life > longest:
        offset = min(offset, 0.75 * (life - longest))
    return max(offset, 0.1 * life)


@new_examples(80)
@given(life=lives, plan=schedules, first=st.booleans(), u=chances)
def test_a_renewal_is_between_its_offset_and_the_spread_before(
    *, life: timedelta, plan: Schedule, first: bool, u: float
) -> None:
    """Over 0.9 of the offset the first time, later over the jitter, half the offset at most."""
    latest = offset_of(life, plan)
    spread = 0.9 * latest if first else min(plan.jitter * life, latest / 2)
    after = renew_at(NOW, NOW + life, plan, wide=first, u=u) - NOW
    assert latest - spread - ROUNDING <= after <= latest + ROUNDING


@new_examples(80)
@given(life=lives, plan=schedules, u=chances)
def test_a_renewal_leaves_a_quarter_of_the_reserve(
    *, life: timedelta, plan: Schedule, u: float
) -> None:
    """So long may a source be down before jobs are not safe any more."""
    reserve = life - plan.longest_job
    assume(0.75 * reserve > 0.1 * life)
    left = NOW + life - plan.longest_job - renew_at(NOW, NOW + life, plan, wide=False, u=u)
    assert left >= reserve / 4 - ROUNDING


def bounds(plan: Schedule, life: Life) -> tuple[timedelta, timedelta]:
    """Return between which two a limit of retries lies, before `retry.max` and a poll cap it."""
    left, safe = life.left, life.left - plan.longest_job
    if left == NOTHING:
        return URGENT, URGENT
    low = min(max(life.whole / 20, SECOND), URGENT)
    return low, max(low, min(left / 20, safe / 2) if safe > NOTHING else left / 20)


@new_examples(80)
@given(
    plan=schedules,
    safe=st.none() | st.timedeltas(NOTHING, timedelta(hours=4)) | lives,
    whole=lives,
    failures=st.integers(1, 99),
)
def test_the_limit_of_retries_is_the_one_of_the_design(
    *, plan: Schedule, safe: timedelta | None, whole: timedelta, failures: int
) -> None:
    """A twentieth of the life that is left, half of what is left of the reserve."""
    left = NOTHING if safe is None else plan.longest_job + safe
    life = Life(left, max(left, whole))
    assume(life != ENDLESS)
    low, high = bounds(plan, life)
    limit = longest_wait(plan, life, throttled=False)
    assert min(low, plan.retry_max) <= limit <= min(high, plan.retry_max) + ROUNDING
    assert limit >= min(high, plan.retry_max) - ROUNDING

    def wait(u: float, *, permanent: bool, asked: float | None = None) -> timedelta:
        return retry_wait(
            plan, life, failures=failures, permanent=permanent, retry_after=asked, u=u
        )

    grown = min(plan.retry_initial * 2 ** min(failures - 1, 30), limit)
    assert wait(0, permanent=False) == SECOND
    assert abs(wait(1, permanent=False) - max(grown, SECOND)) <= ROUNDING
    assert abs(wait(0, permanent=True) - limit / 2) <= ROUNDING
    assert abs(wait(1, permanent=True) - limit) <= ROUNDING
    assert wait(0, permanent=False, asked=1e9) >= max(MINUTE, limit) - ROUNDING
    assert wait(1, permanent=False, asked=1e9) <= 1.1 * max(MINUTE, limit) + ROUNDING


@new_examples(60)
@given(plan=schedules, whole=lives, share=st.floats(0, 1), u=chances, permanent=st.booleans())
def test_an_outage_is_noticed_to_be_over_before_the_reserve_is(
    *, plan: Schedule, whole: timedelta, share: float, u: float, permanent: bool
) -> None:
    """However long a source fails: the next try is while jobs are safe, where 30 s are left."""
    left, tries = whole * share, 0
    while left - plan.longest_job > 2 * URGENT and tries < 20:
        tries += 1
        waited = retry_wait(
            plan, Life(left, whole), failures=tries, permanent=permanent, retry_after=None, u=u
        )
        left -= waited
        assert left > plan.longest_job


# The next cycle


failures = st.builds(
    lambda when: FailureRecord(1, "unreachable", "refused", "wait", NOW, when), moments
)


@new_examples(60)
@given(
    plan=schedules,
    of_source=st.none() | failures,
    of_target=st.none() | failures,
    renewal=st.none() | moments,
    polled=st.none() | moments,
    again=st.lists(st.none() | moments, max_size=2),
    u=chances,
)
def test_the_next_cycle_comes_with_whatever_comes_first(
    *,
    plan: Schedule,
    of_source: FailureRecord | None,
    of_target: FailureRecord | None,
    renewal: datetime | None,
    polled: datetime | None,
    again: list[datetime | None],
    u: float,
) -> None:
    """Never in the past, and never later than a poll, a retry or a renewal."""
    source = WorldSource(World(), HOST)
    target = WorldTarget("target")
    known = KnownCredential("hmac:1", "vault", NOW, NOW + 12 * 60 * MINUTE, renewal)
    record = Record(
        credentials={HOST: (known,)},
        sources={"vault": SourceRecord(poll_at=polled, failure=of_source)},
        targets={"target": TargetRecord(failure=of_target)},
    )
    rotation = Rotation("dind", (source,), (target,), plan)
    after = next_at(record, rotation, again, NOW, lambda: u)
    due = [failure.retry_at for failure in (of_source, of_target) if failure is not None]
    due += [when for when in again if when is not None]
    if of_source is None:
        due += [when for when in (renewal, polled) if when is not None]
    soonest = NOW + SECOND
    assert soonest <= after <= max(NOW + plan.poll, soonest)
    assert all(after <= max(when, soonest) for when in due)
