"""Keeps what is slow to make for as long as what it was made from stays the same."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from pathlib import Path

Thing = TypeVar("Thing")

# File systems count time in ticks: a file that is written twice in one looks the same. One that was
# written just now may be.
_SETTLED = 1.0


class Kept(Generic[Thing]):
    """Things by a key. One counts while its files, the environment and `also` are the same.

    Files are looked at, not read: so a file that is replaced counts from the next call on.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[object, Thing]] = {}

    def get(
        self, key: Hashable, files: Iterable[Path], make: Callable[[], Thing], also: object = None
    ) -> Thing:
        """Return what is kept under the key, or what is made now."""
        # Before it is made: what is replaced meanwhile counts at the next call.
        looks = _looks(files)
        made_from, thing = self._kept.get(key, (None, None))
        if thing is not None and looks is not None and made_from == (also, looks):
            return thing
        self.forget(key)
        thing = make()
        if looks is not None:
            self._kept[key] = ((also, looks), thing)
        return thing

    def forget(self, key: Hashable) -> None:
        """Keep this one no longer."""
        self._kept.pop(key, None)


def _looks(files: Iterable[Path]) -> list[object] | None:
    """Return what differs once a file or a variable has changed; None: it is too soon to tell."""
    looks: list[object] = [os.environ.copy()]
    now = time.time()
    for file in files:
        try:
            status = file.stat()
        except OSError as error:
            looks.append((file, error.errno))
            continue
        if status.st_mtime > now - _SETTLED:
            return None
        looks.append((file, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
    return looks
