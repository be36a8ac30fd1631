"""Open connections that nobody uses for a while."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Load balancers, firewalls and NAT gateways forget a connection after a minute or some, and many of
# them without a word: the next request on it would be lost.
_LONGEST = 30.0


class Idle:
    """Has connections closed that were idle for too long; `close` does that.

    `clock` gives seconds that only grow.
    """

    def __init__(
        self, close: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._close = close
        self._clock = clock
        self._used_at = clock()
        self._lock = Lock()

    def end(self) -> None:
        """To be called before each use, from any thread."""
        with self._lock:
            now = self._clock()
            if now - self._used_at > _LONGEST:
                self._close()
            self._used_at = now
