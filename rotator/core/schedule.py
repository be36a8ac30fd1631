"""When to renew and when to retry: pure arithmetic on times and one random number.

`u` is a random number in [0, 1). It is taken once for each credential or failure and the result
is stored: a wait that is computed again at each cycle would never end.
A wait may still be cut later.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from rotator.core.model import Schedule

SECOND = timedelta(seconds=1)
NOTHING = timedelta(0)

# A clock that is corrected by slewing moves less than this between two cycles.
CLOCK_STEP = timedelta(seconds=5)

# Five wrong AppRole secret ids lock the role for 15 minutes, the right one included.
# https://developer.hashicorp.com/vault/docs/concepts/user-lockout
LOGIN_REJECTED_WAIT = timedelta(minutes=20)
LOGIN_REJECTED_LONGEST = 1.1 * LOGIN_REJECTED_WAIT

# With nothing valid published, a person is waiting: never further apart than this.
_URGENT = timedelta(seconds=15)

# A server that throttles is left alone for so long at least.
_THROTTLED = timedelta(seconds=60)


class Life(Struct, frozen=True):
    """How long what is published still works: `left`, zero where nothing is, or nothing works.

    `whole` is the length of its whole life, zero where that is not known.
    """

    left: timedelta
    whole: timedelta = NOTHING


ENDLESS = Life(timedelta(days=365), timedelta(days=365))
"""The life of what has no end: as if it lasted this long, where a wait is a fraction of it."""


def is_ahead(noted: datetime, now: datetime) -> bool:
    """Tell whether a time that was noted earlier is later than now.

    The clock was ahead when it was noted, or it went back since.
    """
    return noted > now + CLOCK_STEP


def renew_at(
    issued_at: datetime, expires_at: datetime, schedule: Schedule, *, wide: bool, u: float
) -> datetime:
    """Return when to fetch the successor of a credential with this life.

    At `renew_after` of its life, and at the latest after three quarters of the time in which jobs
    are safe with it, which ends at `expires_at - longest_job`; but never in its first tenth.
    `wide`: spread the renewals of hosts that were deployed together, or failed together.
    """
    life = expires_at - issued_at
    offset = schedule.renew_after * life
    if life > schedule.longest_job:
        offset = min(offset, 0.75 * (life - schedule.longest_job))
    offset = max(offset, 0.1 * life)
    spread = 0.9 * offset if wide else min(schedule.jitter * life, offset / 2)
    return issued_at + offset - u * spread


def poll_at(now: datetime, schedule: Schedule, *, u: float, first: bool = False) -> datetime:
    """Return when to read again what can change without notice.

    `first`: anywhere in the poll, so that hosts that were deployed together don't ask together.
    """
    return now + schedule.poll * (1 - (0.9 if first else 0.1) * u)


def retry_wait(
    schedule: Schedule,
    life: Life,
    *,
    failures: int,
    permanent: bool,
    retry_after: float | None,
    u: float,
) -> timedelta:
    """Return how long to wait after the latest of `failures` failures in a row.

    Waits grow with full jitter, capped by a fraction of the life that is left: seconds apart where
    nothing valid is published, minutes apart with hours left. `retry_after` (seconds, from the
    server) is obeyed as far as the credential's life allows, and spread a little.
    """
    limit = longest_wait(schedule, life, throttled=False)
    if permanent:
        wait = limit * (0.5 + 0.5 * u)
    else:
        # 2 ** 30 exceeds any limit; without the bound a year of failures would overflow.
        grown = _capped(schedule.retry_initial.total_seconds() * 2 ** min(failures - 1, 30), limit)
        wait = SECOND + u * max(grown - SECOND, NOTHING)
    if retry_after is not None:
        asked = _capped(retry_after, longest_wait(schedule, life, throttled=True))
        wait = max(wait, asked * (1 + 0.1 * u))
    return wait


def longest_wait(schedule: Schedule, life: Life, *, throttled: bool) -> timedelta:
    """Return the longest wait after a failure that this much life allows."""
    limit = _limit(schedule, life)
    if throttled:
        return max(_THROTTLED, limit)
    # A credential without an end is read each poll, and no less often after a failure.
    return min(limit, schedule.poll) if life == ENDLESS else limit


def start_wait(schedule: Schedule, life: Life, *, u: float) -> timedelta:
    """Return how long a daemon that starts with overdue work waits; zero unless jobs are safe.

    Ten thousand hosts that come back together are spread over a poll where each has time.
    """
    safe = life.left - schedule.longest_job
    return u * min(schedule.poll, safe / 4) if safe > NOTHING else NOTHING


def pending_wait(tries: int) -> timedelta:
    """Return how long to wait before a registry is asked again about a credential.

    0.5, 1, 2, 4 s and so on. `tries`: how often it was asked already.
    """
    return timedelta(seconds=0.5 * 2 ** min(tries - 1, 6))


def _capped(seconds: float, limit: timedelta) -> timedelta:
    """Return this many seconds, which may be more than a `timedelta` can hold, up to the limit."""
    return timedelta(seconds=min(seconds, limit.total_seconds()))


def _limit(schedule: Schedule, life: Life) -> timedelta:
    if life.left <= NOTHING:
        return min(_URGENT, schedule.retry_max)
    safe = life.left - schedule.longest_job
    limit = min(life.left / 20, safe / 2) if safe > NOTHING else life.left / 20
    lowest = min(max(life.whole / 20, SECOND), _URGENT)
    return min(max(limit, lowest), schedule.retry_max)
