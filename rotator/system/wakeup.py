"""Wakes the thread that waits.

`threading.Event` can't be used by signals: one may interrupt the thread that holds the event's
lock, and its handler would then wait for that lock for ever. A queue's `put` may be called anywhere
(https://docs.python.org/3/library/queue.html#queue.SimpleQueue).
"""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue


class Wakeup:
    """Called from anywhere, waited for by one thread."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()

    def call(self) -> None:
        """Wake the thread that waits, or the next one that would; may be a signal's handler."""
        self._calls.put(None)

    def wait(self, seconds: float) -> None:
        """Wait until it is called, or the time is over; many calls that came before are one."""
        with suppress(Empty):
            self._calls.get(timeout=seconds)
            while True:
                self._calls.get_nowait()
