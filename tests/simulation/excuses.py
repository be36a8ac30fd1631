"""When a job may fail although it was promised to work: each excuse with its reason, all of them.

An excuse is about what happened after the promise was made, and that nobody could have known then;
the next cycle, a `poll` later at most, makes a new promise that it does not hold for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.drivers import Promise, SimTarget
    from tests.simulation.host import Host
    from tests.simulation.outside import Token

CLOCK = 5.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that finds at `target` no password that lasts, though `host` promised it one."""

    host: Host
    promise: Promise
    target: SimTarget
    registry: str
    token: Token | None


def excuse(failure: Failure) -> str | None:
    """Return why this failure is nobody's fault; None where the promise was broken."""
    for reason in (edited, killed, clock_back, no_compare_and_set):
        if reason(failure):
            return reason.__name__
    return None


def edited(failure: Failure) -> bool:
    """A person changed the place after the rotator had read it.

    Or put there what looks like another rotator's, while the registry could not be asked.
    """
    read_at = failure.promise.read_at[failure.target.name]
    if failure.target.place.edited_at >= min(failure.promise.looked_at, read_at):
        return True
    return failure.token is None and failure.registry in failure.promise.unproven


def killed(failure: Failure) -> bool:
    """The registry ended the password before its time, and could not be asked since.

    Nobody asks about a password that is in no memory and in no place that can be read.
    """
    token, promise = failure.token, failure.promise
    if token is None or not token.killed:
        return False
    unread = promise.read_at[failure.target.name] < promise.looked_at or failure.target.place.hidden
    return (
        token.dead_at >= promise.looked_at
        or failure.registry in promise.unproven
        or (unread and token.password not in promise.asked)
    )


def clock_back(failure: Failure) -> bool:
    """The end was told on a clock ahead of the one that it is compared with.

    The machine's clock went back since, or another machine's clock that wrote the mark is ahead.
    The heartbeat renews what a clock that went back has made doubtful: `audits` check that.
    """
    token = failure.token
    now_ahead = token is not None and token.ahead - failure.host.ahead > CLOCK
    return now_ahead or failure.promise.ahead


def no_compare_and_set(failure: Failure) -> bool:
    """Another writer undid the rotator's write where the place can't compare, or a read was stale.

    What is lost so returns within a poll.
    """
    place, promise = failure.target.place, failure.promise
    if place.compares:
        return False
    others = (when for who, when in place.written_at.items() if who != failure.host.name)
    return place.name in promise.stale or any(when >= promise.looked_at for when in others)
