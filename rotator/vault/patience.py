"""How quotas and standbys of a Vault server are waited for."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from rotator.vault.errors import SOON, evidence_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.vault.connection import Answer

_SHORTEST, _LONGEST = 0.25, 4.0  # seconds between two tries


class Patience:
    """Waits within one piece of work (a fetch, a read) for quotas and standbys, for `seconds`.

    This is the one place where a driver of Vault waits: a rate quota of 5 requests a second lets 30
    sources through within seconds if each waits a little, and none if all fail and come back
    together. Only what the table `SOON` of `errors` has is waited for: the server then has not done
    what it was asked. Its `Retry-After` counts; without one the waits double, and are spread. A
    wait that would end after the bound is not begun: the answer is then the error.

    `clock` gives seconds that only grow, `chance` a number in [0, 1).
    """

    def __init__(
        self,
        seconds: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._seconds, self._sleep, self._clock, self._chance = seconds, sleep, clock, chance
        self.begin()

    def begin(self) -> None:
        """Begin a piece of work: the bound counts from now."""
        self._end = self._clock() + self._seconds

    def answer(
        self, send: Callable[[], Answer], is_early: Callable[[Answer], bool] = lambda _: False
    ) -> Answer:
        """Return the answer; `is_early`: whether another answer, too, may change within seconds."""
        wait = _SHORTEST
        while True:
            answer = send()
            evidence = evidence_in(answer.response)
            waits = any(rule.matches(evidence) for rule in SOON) or is_early(answer)
            if answer.response.ok or not waits:
                return answer
            pause = evidence.retry_after
            if pause is None:
                pause = wait * (0.5 + 0.5 * self._chance())
            if self._clock() + pause >= self._end:
                return answer
            self._sleep(pause)
            wait = min(2 * wait, _LONGEST)
