"""Locks between processes: one for the daemon's life, one a rotation for a cycle, one a directory.

They are `flock(2)` locks, which the kernel ends with the process, however it ends. The locks of
daemon and rotation are on files in the state directory. The files stay, because a file that is
deleted can be locked by two at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from rotator.core.errors import LockHeldError
from rotator.system import state_dir as state
from rotator.system.missing import is_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

# `rotator status` takes the daemon's lock for an instant, to learn whether somebody holds it.
_STATUS_HOLDS_IT = 0.5

# Seconds between two tries: for a lock that is held for a cycle, and for one held for a write.
_PAUSE, _SHORT_PAUSE = 0.1, 0.005

_SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def daemon_lock(state_dir: Path, warn: Callable[[str], None]) -> AbstractContextManager[None]:
    """Hold the daemon's lock for the block; raise `LockHeldError` where another daemon has it."""
    return lock(_daemon_path(state_dir), "the daemon's lock", _STATUS_HOLDS_IT, warn)


def cycle_lock(
    state_dir: Path, rotation: str, wait: float, warn: Callable[[str], None]
) -> AbstractContextManager[None]:
    """Hold a rotation's lock for the block; raise `LockHeldError` if it is not free in `wait` s."""
    return lock(_cycle_path(state_dir, rotation), f"the lock of rotation {rotation}", wait, warn)


def target_lock(
    state_dir: Path, rotation: str, target: str, warn: Callable[[str], None]
) -> AbstractContextManager[None]:
    """Hold the lock of one target for the block; raise `LockHeldError` where a process has it.

    It is held while a call on the target hangs, longer than the rotation's own lock.
    """
    path = _target_path(state_dir, rotation, target)
    return lock(path, f"the lock of {target}, as a call on it hangs", 0.0, warn)


def target_hangs(state_dir: Path, rotation: str, target: str) -> str | None:
    """Return who holds a target's lock, as a call of theirs hangs; None where nobody does."""
    path = _target_path(state_dir, rotation, target)
    if is_missing(path):
        return None
    try:
        with lock(path, f"the lock of {target}", 0.0, lambda _: None):
            return None
    except LockHeldError as error:
        return str(error)


def daemon_runs(state_dir: Path) -> bool | None:
    """Tell whether a daemon holds its lock in this directory; None where that is not known."""
    return _is_locked(_daemon_path(state_dir))


def cycle_runs(state_dir: Path, rotation: str) -> bool | None:
    """Tell whether a cycle of a rotation runs now; None where that is not known."""
    return _is_locked(_cycle_path(state_dir, rotation))


@contextmanager
def lock(
    path: Path,
    what: str,
    wait: float,
    warn: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the lock on the file `path` for the block, waiting for it up to `wait` seconds.

    Raises `LockHeldError`, which says who holds it where that is known. Where no lock can be
    had at all (the directory can't be written, its file system has no locks), warns and goes on.
    """
    with ExitStack() as stack:
        try:
            state.prepare(path.parent)
            file = os.open(path, os.O_RDWR | os.O_CREAT | _SAFELY, 0o600)
            stack.callback(os.close, file)
            os.fchown(file, *state.owner(path.parent))
            taken = _take(file, wait, _PAUSE, clock, sleep)
        except OSError as error:
            warn(f"{what} cannot be had, two rotators at once go unnoticed: {error}")
        else:
            if not taken:
                raise LockHeldError(f"another rotator{_holder(file)} holds {what} ({path})")
            with suppress(OSError):  # a full disk: the lock holds all the same
                os.ftruncate(file, 0)
                os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        yield


@contextmanager
def directory_lock(opened: int, wait: float) -> Iterator[bool]:
    """Hold the lock of an open directory for the block; yield whether it could be had in `wait` s.

    Rotators lock each other out with it while they write there. The directory itself is locked, so
    that no lock file is left there, and rotators of two users can share it. Every reader
    of the directory can hold that lock: nobody may depend on it for more than order.
    """
    held = False
    with suppress(OSError):  # a file system without locks on directories, such as NFS
        held = _take(opened, wait, _SHORT_PAUSE)
    try:
        yield held
    finally:
        if held:
            fcntl.flock(opened, fcntl.LOCK_UN)


def _daemon_path(state_dir: Path) -> Path:
    return state_dir / "daemon.lock"


def _cycle_path(state_dir: Path, rotation: str) -> Path:
    return state_dir / f"{rotation}.cycle.lock"


def _target_path(state_dir: Path, rotation: str, target: str) -> Path:
    name = hashlib.sha256(target.encode()).hexdigest()[:16]
    return state_dir / f"{rotation}.{name}.target.lock"


def _take(
    file: int,
    wait: float,
    pause: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    # Tried again and again, because flock(2) has no timeout. Only a signal would interrupt it,
    # which only the main thread gets, and a thread that waits in it can't be ended.
    deadline = clock() + wait
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if (left := deadline - clock()) <= 0:
                return False
            sleep(min(pause, left))
        else:
            return True


def _is_locked(path: Path) -> bool | None:
    """Change nothing: a command that only reports may run as another user, or on a full disk."""
    try:
        with open(path, opener=lambda name, flags: os.open(name, flags | _SAFELY)) as file:
            # Shared, so that two commands at once don't take each other for a daemon.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _holder(file: int) -> str:
    pid = b""
    with suppress(OSError):  # it is a FIFO
        pid = os.pread(file, 32, 0).strip()
    return f" (pid {int(pid)})" if pid.isdigit() else ""
