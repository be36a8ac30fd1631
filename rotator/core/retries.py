"""How long a source or a target that failed is left alone: until `retry_at` of its failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core import schedule
from rotator.core.candidate import DEAD, FOREVER, Candidate
from rotator.core.errors import Reason
from rotator.core.record import FailureRecord, SourceRecord
from rotator.core.rotation import registries_of
from rotator.core.schedule import ENDLESS, LOGIN_REJECTED_WAIT, NOTHING, Life

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rotator.core.failure import Failure
    from rotator.core.ports import Source
    from rotator.core.rotation import At, Rotation


def next_failure(
    past: FailureRecord | None, failure: Failure, rotation: Rotation, life: Life, at: At
) -> FailureRecord:
    """Return the failure that follows the last one, with its wait.

    `life`: how long what is published still works.
    """
    count = 1 if past is None else past.count + 1
    wait = schedule.retry_wait(
        rotation.schedule,
        life,
        failures=count,
        permanent=failure.permanent,
        retry_after=failure.retry_after,
        u=at.random(),
    )
    return FailureRecord(
        count=count,
        reason=str(failure.reason),
        detail=failure.detail,
        hint=failure.hint,
        since=at.now if past is None else min(past.since, at.now),
        retry_at=at.now + wait,
        permanent=failure.permanent,
    )


def with_login(failure: FailureRecord, stamp: str | None, at: At) -> FailureRecord:
    """Return a failure; if it is of the login, its wait ends when `stamp` changes.

    A login secret that was refused waits longer than anything else. A secret file that was missing
    is tried as soon as it is there.
    """
    if failure.reason == Reason.LOGIN_REJECTED:
        wait = LOGIN_REJECTED_WAIT * (1 + 0.1 * at.random())
        return replace(failure, retry_at=at.now + wait, login_stamp=stamp)
    if failure.reason == Reason.UNREADABLE:
        return replace(failure, login_stamp=stamp)
    return failure


def life_of_source(
    past: SourceRecord, source: Source, chosen: Mapping[str, Candidate], now: datetime
) -> Life:
    """Return the shortest life of the credentials that are published for a source's registries."""
    registries = registries_of(source, past)
    lives = [_life(chosen.get(registry), now) for registry in registries]
    return min(lives, key=lambda life: life.left, default=Life(NOTHING))


def _life(one: Candidate | None, now: datetime) -> Life:
    """Return how long a published credential still works."""
    if one is None or one.end == DEAD:
        return Life(NOTHING)
    if one.end == FOREVER:
        return ENDLESS
    return Life(max(one.end - now, NOTHING), one.end - one.credential.issued_at)
