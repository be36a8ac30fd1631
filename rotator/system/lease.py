"""Leases on files (`F_SETLEASE`): others who open one wait, or we learn that it is being written.

The file has to be ours, or we need CAP_LEASE; network file systems have none. Callers do without
where none can be had: nothing here fails.
https://man7.org/linux/man-pages/man2/F_SETLEASE.2const.html
"""

from __future__ import annotations

import fcntl
import signal
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_F_SETSIG = 10
_PAUSE = 0.002


@contextmanager
def alone(file: int) -> Iterator[bool]:
    """Let everybody else who opens this file wait until the block ends; yield whether they do.

    That needs a file that nobody else has open. The kernel lets them in when this process ends, and
    after 45 s at the latest (`/proc/sys/fs/lease-break-time`).
    """
    try:
        _take(file, fcntl.F_WRLCK)
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        _release(file)


def wait_for_writers(file: int, seconds: float) -> None:
    """Wait until nobody has the file open for writing, so long at most.

    The descriptor has to be open for reading only. Where no lease can be had, returns at once.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            _take(file, fcntl.F_RDLCK)
        except BlockingIOError:
            time.sleep(_PAUSE)
        except OSError:
            return
        else:
            _release(file)
            return


def _take(file: int, kind: int) -> None:
    # The kernel announces a waiting reader by a signal; SIGURG does nothing, SIGIO would end us.
    fcntl.fcntl(file, _F_SETSIG, signal.SIGURG)
    fcntl.fcntl(file, fcntl.F_SETLEASE, kind)


def _release(file: int) -> None:
    with suppress(OSError):
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
