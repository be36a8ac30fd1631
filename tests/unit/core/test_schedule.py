"""When to renew and when to retry: the arithmetic, and what holds for every life and chance."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from rotator.core.model import Schedule
from rotator.core.schedule import ENDLESS, Life, renew_at, retry_wait, start_wait
from tests.support import NOW

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
NOTHING = timedelta(0)
USUAL = Schedule()


# Renewal


@pytest.mark.parametrize(
    ("life", "schedule", "expected"),
    [
        pytest.param(12 * HOUR, USUAL, 6 * HOUR, id="half of a life by default"),
        pytest.param(12 * HOUR, Schedule(renew_after=0.25), 3 * HOUR, id="a share of it"),
        pytest.param(
            4 * HOUR,
            Schedule(longest_job=3 * HOUR),
            45 * MINUTE,
            id="a quarter of the reserve before the longest job is kept",
        ),
        pytest.param(
            100 * MINUTE,
            Schedule(longest_job=99 * MINUTE),
            10 * MINUTE,
            id="never before a tenth of a life",
        ),
        pytest.param(HOUR, Schedule(longest_job=3 * HOUR), HOUR / 2, id="a job outlives it anyway"),
    ],
)
def test_a_renewal_comes_in_time(life: timedelta, schedule: Schedule, expected: timedelta) -> None:
    """The latest moment at which a successor is fetched."""
    assert renew_at(NOW, NOW + life, schedule, wide=False, u=0) == NOW + expected


@pytest.mark.parametrize(
    ("first", "schedule", "earliest"),
    [
        pytest.param(True, USUAL, 0.1 * 6 * HOUR, id="the first one: over nearly all the time"),
        pytest.param(False, USUAL, 6 * HOUR - 0.05 * 12 * HOUR, id="later: over the jitter"),
        pytest.param(False, Schedule(jitter=0.4), 3 * HOUR, id="never over more than half"),
    ],
)
def test_renewals_are_spread(
    *,
    first: bool,
    schedule: Schedule,
    earliest: timedelta,
) -> None:
    """Hosts that were deployed together do not ask together for ever after."""
    assert renew_at(NOW, NOW + 12 * HOUR, schedule, wide=first, u=1) == NOW + earliest


# Retries


def wait(
    life: Life,
    failures: int = 100,
    *,
    schedule: Schedule = USUAL,
    permanent: bool = False,
    retry_after: float | None = None,
    u: float = 1,
) -> timedelta:
    """Return a wait; by default the longest one after very many failures."""
    return retry_wait(
        schedule, life, failures=failures, permanent=permanent, retry_after=retry_after, u=u
    )


DAY_TOKEN = 12 * HOUR


@pytest.mark.parametrize(
    ("life", "schedule", "longest"),
    [
        pytest.param(Life(NOTHING), USUAL, 15 * SECOND, id="nothing valid: a person waits"),
        pytest.param(
            Life(NOTHING), Schedule(retry_max=5 * SECOND), 5 * SECOND, id="nothing, max shorter"
        ),
        pytest.param(Life(11 * HOUR, DAY_TOKEN), USUAL, 10 * MINUTE, id="hours left: retry.max"),
        pytest.param(Life(100 * MINUTE, DAY_TOKEN), USUAL, 5 * MINUTE, id="a part of what is left"),
        pytest.param(
            Life(62 * MINUTE, DAY_TOKEN), USUAL, MINUTE, id="half of what is left of the reserve"
        ),
        pytest.param(
            Life(HOUR + 10 * SECOND, DAY_TOKEN), USUAL, 15 * SECOND, id="no closer than 15 s"
        ),
        pytest.param(
            Life(10 * SECOND, 60 * SECOND), USUAL, 3 * SECOND, id="short lives: a part of a life"
        ),
        pytest.param(Life(2 * SECOND, 10 * SECOND), USUAL, SECOND, id="no closer than 1 s"),
        pytest.param(ENDLESS, USUAL, 5 * MINUTE, id="no end: a poll"),
        pytest.param(Life(30 * MINUTE, DAY_TOKEN), USUAL, 90 * SECOND, id="not job-safe any more"),
    ],
)
def test_retries_come_closer_as_the_end_comes_near(
    life: Life, schedule: Schedule, longest: timedelta
) -> None:
    """How far apart the retries of a long outage are."""
    assert wait(life, schedule=schedule) == longest


def test_retries_grow_from_the_initial_wait() -> None:
    """Twice as long each time, up to the limit."""
    life = Life(11 * HOUR, DAY_TOKEN)
    waits = [wait(life, failures) for failures in range(1, 9)]
    assert waits[:4] == [5 * SECOND, 10 * SECOND, 20 * SECOND, 40 * SECOND]
    assert all(earlier < later for earlier, later in pairwise(waits))
    assert waits[-1] == 10 * MINUTE


def test_retries_are_spread_from_one_second_on() -> None:
    """Full jitter: hosts that failed together do not come back together."""
    assert wait(Life(11 * HOUR, DAY_TOKEN), u=0) == SECOND


@pytest.mark.parametrize(("u", "expected"), [(0, 5 * MINUTE), (1, 10 * MINUTE)])
def test_what_waiting_does_not_help_is_retried_slowly_from_the_start(
    u: float, expected: timedelta
) -> None:
    """A permanent failure waits at least half the limit, also the first time."""
    assert wait(Life(11 * HOUR, DAY_TOKEN), 1, permanent=True, u=u) == expected


@pytest.mark.parametrize(
    ("life", "asked", "expected"),
    [
        pytest.param(Life(NOTHING), 30, 30 * SECOND, id="obeyed"),
        pytest.param(Life(NOTHING), 3600, MINUTE, id="a minute at most where nothing works"),
        pytest.param(Life(11 * HOUR, DAY_TOKEN), 300, 5 * MINUTE, id="obeyed with hours left"),
        pytest.param(Life(11 * HOUR, DAY_TOKEN), 7200, 10 * MINUTE, id="as far as the life allows"),
        pytest.param(ENDLESS, 7200, 10 * MINUTE, id="longer than a poll, without an end"),
    ],
)
def test_retry_after_is_obeyed_as_far_as_the_life_allows(
    life: Life, asked: float, expected: timedelta
) -> None:
    """The other side's wish is a lower bound, spread by a tenth."""
    assert wait(life, 1, retry_after=asked, u=0) == expected
    assert wait(life, 1, retry_after=asked, u=1) == 1.1 * expected


@pytest.mark.parametrize("asked", [1e15, 1e300, float("inf")])
def test_a_server_that_asks_for_ages_gets_the_longest_wait(asked: float) -> None:
    """What no `timedelta` can hold must not end the cycle: a proxy can send any number."""
    assert wait(Life(11 * HOUR, DAY_TOKEN), retry_after=asked, u=0) == 10 * MINUTE


def test_a_long_first_wait_does_not_overflow() -> None:
    """A day that is doubled thirty times is more than a `timedelta` can hold."""
    schedule = Schedule(retry_initial=24 * HOUR, retry_max=48 * HOUR)
    assert wait(Life(2400 * HOUR, 4800 * HOUR), 100, schedule=schedule) == 48 * HOUR


# A start


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        pytest.param(NOTHING, NOTHING, id="nothing published: at once"),
        pytest.param(HOUR, NOTHING, id="not safe: at once"),
        pytest.param(HOUR + 8 * MINUTE, 2 * MINUTE, id="a quarter of the reserve"),
        pytest.param(11 * HOUR, 5 * MINUTE, id="over a poll"),
    ],
)
def test_a_start_waits_only_where_jobs_are_safe(left: timedelta, expected: timedelta) -> None:
    """Ten thousand hosts that come back together are spread where each has time."""
    assert start_wait(USUAL, Life(left), u=1) == expected
    assert start_wait(USUAL, Life(left), u=0) == NOTHING
