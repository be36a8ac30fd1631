"""When a job may fail although it was promised to work: each excuse with its reason, all of them.

All are about what nobody could have known in the last cycle that ended. The next one, a
`poll` later at most, makes a new promise that they do not hold for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.journal import Covered, Promise
    from tests.simulation.registries import Token

CLOCK = 5.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that finds no password that lasts, though `host` promised it one."""

    host: Host
    promise: Promise
    covered: Covered
    token: Token | None
    now: float


def excuse(failure: Failure) -> str | None:
    """Return why this failure is nobody's fault; None where the promise was broken."""
    for reason in (changed, not_reported, wrong_clock, misdated):
        if reason(failure):
            return reason.__name__.replace("_", " ")
    return None


def changed(failure: Failure) -> bool:
    """Somebody else changed the place after the last read that the promise rests on.

    In a cycle that could not read a place that jobs can still read, it is the read before.
    """
    look = failure.promise.looks.get(failure.covered.place.name)
    return look is None or look.epoch != failure.covered.place.epoch


def not_reported(failure: Failure) -> bool:
    """The registry stopped accepting the password since, or does not accept it yet, and is silent.

    Nobody can ask about a password either whose text is in no memory and can't be read back.
    """
    token, promise = failure.token, failure.promise
    if token is None:
        return False
    killed = token.dead_at < token.end
    if killed and token.dead_at >= promise.began:
        return True
    early = killed or failure.now < token.known_from
    return early and not _could_ask(failure)


def wrong_clock(failure: Failure) -> bool:
    """The end was noted on a clock that is ahead of the one that it is compared with now.

    Not where the registry could be asked after the end.
    """
    token = failure.token
    if token is None:
        return False
    # What says its own end says it by a clock that is right.
    ahead = max(token.ahead, 0.0) if token.says_its_end else token.ahead
    if ahead - failure.host.ahead <= CLOCK:
        return False
    return token.dies > failure.promise.began or not _could_ask(failure)


def misdated(failure: Failure) -> bool:
    """A person put it under another rotator's mark, which claims the end of what was there.

    Whoever never read what the mark was written for can't tell, nor can who lost the journal since.
    Not where it has ended since.
    """
    token = failure.token
    if token is None or not token.misdated or failure.host.knows_every_mark:
        return False
    return token.dies > failure.promise.began


def _could_ask(failure: Failure) -> bool:
    """Tell whether the cycle that made the promise could ask about the password."""
    token, promise, place = failure.token, failure.promise, failure.covered.place
    if failure.covered.registry in promise.silent or token is None:
        return False
    was_read = place.name not in promise.unread and not place.hidden
    return was_read or token.password in promise.known
