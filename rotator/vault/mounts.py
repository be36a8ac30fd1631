"""What a Vault server has said of its mounts. All sources and targets of one login share it."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from rotator.system.each import others_first

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LONGEST_WAIT = 5.0  # seconds, for another thread that asks about a mount


class Mounts:
    """What a server has said of its mounts, none of which lies below another one."""

    def __init__(self) -> None:
        self._known: dict[str, Mapping[str, Any]] = {}
        self._asking = Lock()

    def get(self, path: str) -> Mapping[str, Any] | None:
        """Return what the server said of the mount above a path; None where it was not asked."""
        known = self._known.copy().items()
        return next((data for mount, data in known if path.startswith(f"{mount}/")), None)

    def ask(self, path: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return what the server says of the mount above a path; all who wait ask once."""
        waited = others_first(lambda s: self._asking.acquire(timeout=s), _LONGEST_WAIT)
        try:
            known = self.get(path)
            if known is None:
                known = ask()
                if mount := mount_in(known, path):
                    self._known[mount] = known
            return known
        finally:
            if waited:
                self._asking.release()

    def forget(self, path: str) -> None:
        """Ask again about the mount above a path: it may have been replaced."""
        for mount in [mount for mount in self._known.copy() if path.startswith(f"{mount}/")]:
            self._known.pop(mount, None)


def mount_in(data: Mapping[str, Any], path: str) -> str:
    """Return the mount that an answer names for a path; empty where it names none."""
    named = data.get("path")
    mount = named.strip("/") if isinstance(named, str) else ""
    return mount if mount and f"{path}/".startswith(f"{mount}/") else ""
