"""Notices at once when somebody changes a file, by inotify(7).

The directory of each file is watched, as most programs rename a new file over the old one; where
the file is a mount of its own, it is watched itself. A rename by a rotator is no change:
the file had a draft's name before (`atomic_file.prefix`).

The kernel tells of mounts, too. It keeps silent on some changes, such as one on another host of a
network file system: callers look themselves from time to time.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from inotify_simple import INotify, flags

from rotator.system import atomic_file, mounts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from inotify_simple import Event

QUIET = 0.1  # seconds after a change in which others count as the same one
SPACING = 0.5  # seconds between two calls for one file, at least

BURST, REFILL = 200, 5.0  # so many calls at that spacing; then one each `REFILL` seconds
RENEWAL = 60.0  # seconds after which it looks where each path leads now, whatever the kernel says
RETURN = 10.0  # the same where a directory is gone, or something was mounted or unmounted

_IN_DIRECTORY = (
    flags.CLOSE_WRITE | flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO
    | flags.DELETE_SELF | flags.MOVE_SELF | flags.ONLYDIR
)  # fmt: skip
_DIRECTORY_GONE = flags.DELETE_SELF | flags.MOVE_SELF | flags.UNMOUNT
_ON_FILE = flags.CLOSE_WRITE | flags.DONT_FOLLOW
_NONE = -1
_COOKIES = 64  # so many of our own renames are remembered
_CLOSED_WITHIN = 1.0  # seconds: a rotator closes what it has published, which looks like a write


@dataclass
class _File:
    """A file to watch: its name after links, the kernel's numbers for it, and when to call."""

    path: Path
    name: str = ""
    directory: int = _NONE
    itself: int = _NONE
    changed_at: float | None = None
    next_at: float = 0.0
    calls: float = BURST
    counted_at: float = 0.0
    published_at: float | None = None
    published: deque[int] = field(default_factory=lambda: deque(maxlen=_COOKIES))

    def mark_changed(self) -> None:
        self.changed_at = self.changed_at or time.monotonic()

    def call_at(self) -> float | None:
        return None if self.changed_at is None else max(self.changed_at + QUIET, self.next_at)

    def count_call(self, now: float) -> None:
        self.calls = min(self.calls + (now - self.counted_at) / REFILL, BURST) - 1
        self.counted_at, self.changed_at = now, None
        self.next_at = now + (SPACING if self.calls >= 1 else REFILL)


class Watch:
    """Calls `on_change` with a file's path, in a thread of its own, soon after it has changed.

    `warn` gets a sentence where the kernel lets us watch nothing.
    """

    def __init__(
        self, paths: Iterable[Path], on_change: Callable[[Path], None], warn: Callable[[str], None]
    ) -> None:
        self._files = [_File(path) for path in dict.fromkeys(paths)]
        self._on_change = on_change
        self._warn = warn
        self._warned = False
        self._inotify: INotify | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._wake = self._mounts = _NONE
        self._closing = False

    def start(self) -> None:
        """Begin; changes from now on are noticed."""
        if not self._files:
            return
        try:
            self._inotify = INotify()
        except OSError as error:
            self._warn_once(error, "max_user_instances")
            return
        self._wake = os.eventfd(0)
        # A poll on it returns when the table of mounts changes: proc_pid_mountinfo(5).
        with suppress(OSError):
            self._mounts = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._renew(self._inotify, self._files)
        self._thread.start()

    def close(self) -> None:
        """End; no call is made any more when this returns, unless it is called from `on_change`."""
        if self._inotify is None:
            return
        self._closing = True
        os.eventfd_write(self._wake, 1)
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self._inotify.close()
        os.close(self._wake)
        if self._mounts != _NONE:
            os.close(self._mounts)
        self._inotify = None

    def _run(self) -> None:
        inotify = self._inotify
        assert inotify is not None  # noqa: S101  the thread is started after it is made
        poll = select.poll()
        poll.register(inotify.fileno(), select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        if self._mounts != _NONE:
            poll.register(self._mounts, select.POLLPRI)
        renew_at = time.monotonic() + RENEWAL
        while not self._closing:
            if any(file.directory == _NONE for file in self._files):
                renew_at = min(renew_at, time.monotonic() + RETURN)
            times = [renew_at, *(at for file in self._files if (at := file.call_at()) is not None)]
            ready = dict(poll.poll(max(0.0, min(times) - time.monotonic()) * 1000))
            if self._mounts in ready:
                renew_at = min(renew_at, time.monotonic() + RETURN)
            if inotify.fileno() in ready and not self._closing:
                self._notice(list(inotify.read(timeout=0)))
            now = time.monotonic()
            if now >= renew_at:
                renew_at = now + RENEWAL
                self._renew(inotify, self._files)
            for file in self._files:
                at = file.call_at()
                if at is not None and at <= now and not self._closing:
                    self._renew(inotify, [file])
                    file.count_call(now)
                    self._on_change(file.path)

    def _notice(self, events: Sequence[Event]) -> None:
        for file in self._files:
            drafts = atomic_file.prefix(file.name)
            # One rename is two events, which may be read one after the other.
            renamed = (each.cookie for each in events if each.name.startswith(drafts))
            file.published.extend(cookie for cookie in renamed if cookie)
            for each in events:
                if not _concerns(file, each):
                    continue
                if each.cookie in file.published:
                    if each.mask & flags.MOVED_TO:
                        file.published_at = time.monotonic()
                elif not _closes_published(file, each):
                    file.mark_changed()

    def _renew(self, inotify: INotify, files: Iterable[_File]) -> None:
        """Watch what has the paths now."""
        points = mounts.points()
        for file in files:
            self._renew_one(inotify, file, points)

    def _renew_one(self, inotify: INotify, file: _File, points: Collection[str]) -> None:
        """Watch what has the path now; another directory than before is a change."""
        real = Path(os.path.realpath(file.path))
        known = file.directory, file.itself, file.name
        file.name = real.name
        file.directory = self._add(inotify, real.parent, _IN_DIRECTORY)
        file.itself = self._add(inotify, real, _ON_FILE) if str(real) in points else _NONE
        if known[2] and (file.directory, file.name) != (known[0], known[2]):
            file.mark_changed()
        used = {number for each in self._files for number in (each.directory, each.itself)}
        for number in {known[0], known[1]} - used - {_NONE}:
            with suppress(OSError):  # it ended with what it watched
                inotify.rm_watch(number)

    def _add(self, inotify: INotify, path: Path, mask: int) -> int:
        try:
            return int(inotify.add_watch(path, mask))
        except (FileNotFoundError, NotADirectoryError):
            return _NONE
        except OSError as error:
            self._warn_once(error, "max_user_watches")
            return _NONE

    def _warn_once(self, error: OSError, limit: str) -> None:
        if not self._warned:
            self._warned = True
            self._warn(
                f"files cannot be watched ({error}): what others write is noticed at the next poll "
                f"only. Where it is a limit, raise it: sysctl fs.inotify.{limit}"
            )


def _closes_published(file: _File, event: Event) -> bool:
    """Tell whether this is the one close that follows what a rotator has published."""
    at, file.published_at = file.published_at, None
    recent = at is not None and time.monotonic() - at < _CLOSED_WITHIN
    return recent and bool(event.mask & flags.CLOSE_WRITE)


def _concerns(file: _File, event: Event) -> bool:
    if event.mask & flags.Q_OVERFLOW:
        return True
    if event.wd == file.directory:
        return event.name in (file.name, file.path.name) or bool(event.mask & _DIRECTORY_GONE)
    return bool(event.wd == file.itself and event.mask & flags.CLOSE_WRITE)
