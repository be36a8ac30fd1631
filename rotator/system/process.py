"""What a process that holds secrets for months asks of the kernel."""

from __future__ import annotations

import ctypes
import resource
import sys
import time

_PR_SET_DUMPABLE = 4


def keep_memory_private() -> None:
    """Write no core dump, and let no other process of this user read our memory (Linux).

    Children get the kernel's default back when they run another program.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def steady_seconds() -> float:
    """Return seconds that no clock step changes, and that go on while the machine is suspended."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)
