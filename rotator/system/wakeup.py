"""Wakes the thread that waits for it, from any other thread or a signal handler.

`threading.Event` can't be set by a signal handler: a signal may interrupt the thread that holds the
event's lock, and the handler would then wait for that lock without end. A queue's `put` may be
called anywhere
(https://docs.python.org/3/library/queue.html#queue.SimpleQueue).
"""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue


class Wakeup:
    """Set from anywhere, waited for by one thread."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()

    def wake(self) -> None:
        """Wake the thread that waits, or the next one that would; may be a signal's handler."""
        self._calls.put(None)

    def wait(self, seconds: float) -> None:
        """Wait until somebody calls `wake`, or the time is over; earlier calls count as one."""
        with suppress(Empty):
            self._calls.get(timeout=seconds)
            while True:
                self._calls.get_nowait()
