"""A bell that wakes the thread that waits for it.

`threading.Event` is none for signals: one may interrupt the thread that holds the event's lock, and
its handler would then wait for that lock for ever. A queue's `put` may be called anywhere
(https://docs.python.org/3/library/queue.html#queue.SimpleQueue).
"""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue


class Bell:
    """Rung from anywhere, waited for by one thread."""

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        """Wake the thread that waits, or the next one that would; may be a signal's handler."""
        self._rings.put(None)

    def wait(self, seconds: float) -> None:
        """Wait until it rings, or the time is over; many rings that came before are one."""
        with suppress(Empty):
            self._rings.get(timeout=seconds)
            while True:
                self._rings.get_nowait()
