"""True time, and what happens in it: events that run when time passes, also inside a call."""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FOREVER = float("inf")
_LINES = 400


class Violation(BaseException):
    """A promise was broken. Not an `Exception`, so that nothing in the core takes it for one."""


class Enough(BaseException):
    """The world has had as many cycles as a seed is worth."""


class Timeline:
    """Seconds since the beginning of the world, and a heap of what is going to happen.

    `advance` may be called while an event runs: a rotator that waits for a slow answer lets the
    rest of the world go on, other rotators' whole cycles included.
    """

    def __init__(self, *, keep_all: bool = False) -> None:
        self.now = 0.0
        self.events = 0
        self.lines: deque[tuple[float, str, str]] = deque(maxlen=None if keep_all else _LINES)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()

    def at(self, when: float, event: Callable[[], None]) -> None:
        """Let this happen then, or now where that is past."""
        heapq.heappush(self._heap, (max(when, self.now), next(self._number), event))

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Let this happen in so many seconds."""
        self.at(self.now + seconds, event)

    def advance(self, until: float) -> None:
        """Let time pass, with all that happens in it."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            when, _, event = heapq.heappop(heap)
            self.now = max(self.now, when)
            self.events += 1
            event()
        self.now = max(self.now, until)

    def say(self, who: str, what: str) -> None:
        """Add a line to the trace."""
        self.lines.append((self.now, who, what))

    def trace(self) -> str:
        """Return the trace, a line each."""
        return "\n".join(f"{clock(when)}  {who:<10} {what}" for when, who, what in self.lines)


def clock(seconds: float) -> str:
    """Return a time as `day 3 04:05:06.70`."""
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    return f"day {int(days)} {int(hours):02}:{int(minutes):02}:{rest:05.2f}"


def span(seconds: float) -> str:
    """Return a length of time with one unit, for people."""
    for unit, size in (("y", 365 * 86400), ("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
