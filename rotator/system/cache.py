"""A cache of what is slow to make, for as long as the files it was made from stay the same."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from pathlib import Path

Thing = TypeVar("Thing")

# File systems count time in ticks: a file that is written twice in one tick has the same status.
# So a file is not compared until its last write is older than that.
_TICK = 1.0


class Cache(Generic[Thing]):
    """Things by a key. A thing is valid while its files, the environment and `also` are the same.

    Files are compared by their status, not read: a file that is replaced counts at the next call.
    """

    def __init__(self) -> None:
        self._things: dict[Hashable, tuple[object, Thing]] = {}

    def get(
        self, key: Hashable, files: Iterable[Path], make: Callable[[], Thing], also: object = None
    ) -> Thing:
        """Return the thing of this key, or make it now."""
        # Read before the thing is made, so that a file replaced meanwhile counts at the next call.
        status = _status(files)
        made_from, thing = self._things.get(key, (None, None))
        if thing is not None and status is not None and made_from == (also, status):
            return thing
        self.forget(key)
        thing = make()
        if status is not None:
            self._things[key] = ((also, status), thing)
        return thing

    def forget(self, key: Hashable) -> None:
        """Remove the thing of this key."""
        self._things.pop(key, None)


def _status(files: Iterable[Path]) -> list[object] | None:
    """Return what differs once a file or a variable has changed; None: it is too soon to tell."""
    found: list[object] = [os.environ.copy()]
    now = time.time()
    for file in files:
        try:
            stat = file.stat()
        except OSError as error:
            found.append((file, error.errno))
            continue
        if stat.st_mtime > now - _TICK:
            return None
        found.append((file, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return found
