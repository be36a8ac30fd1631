"""Asks a server again that says that it can't answer just now."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from rotator.vault.errors import SOON, evidence_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.vault.connection import Answer

_SHORTEST, _LONGEST = 0.25, 4.0


class Patience:
    """Waits within one piece of work (a fetch, a read) for quotas and standbys, for `seconds`.

    Drivers do one thing and raise; this is the one place where a driver of Vault waits. The reason:
    a rate quota of 5 requests a second lets 30 sources through within seconds if each waits a
    little, and none, time after time, if all fail and come back together. A standby that is behind
    its active node knows a new token some milliseconds later.

    Only what the table `SOON` has (see `errors`) is waited for: the server then has not done what
    it was asked. The server's own `Retry-After` counts; without one the waits double, and are
    spread so that those who wait do not come back together. A wait that would end after the bound
    is not begun: the answer then is the error, with `Retry-After` in it for the schedule.

    `clock` gives seconds that only grow, `chance` a number in [0, 1).
    """

    def __init__(
        self,
        seconds: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._seconds = seconds
        self._sleep = sleep
        self._clock = clock
        self._chance = chance
        self._end = clock() + seconds

    def begin(self) -> None:
        """Begin a piece of work: the bound counts from now."""
        self._end = self._clock() + self._seconds

    def answer(
        self, send: Callable[[], Answer], is_early: Callable[[Answer], bool] = lambda _: False
    ) -> Answer:
        """Return the answer to a request, sent again while the server asks for patience.

        `is_early` says of another answer whether it too may change within seconds.
        """
        wait = _SHORTEST
        while True:
            answer = send()
            if answer.response.ok:
                return answer
            evidence = evidence_in(answer.response)
            if not (any(rule.matches(evidence) for rule in SOON) or is_early(answer)):
                return answer
            asked = evidence.retry_after
            pause = wait * (0.5 + 0.5 * self._chance()) if asked is None else asked
            if self._clock() + pause >= self._end:
                return answer
            self._sleep(pause)
            wait = min(2 * wait, _LONGEST)
