"""What a process that runs for months and holds secrets needs of the system."""

from __future__ import annotations

import ctypes
import resource
import socket
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PR_SET_DUMPABLE = 4


def keep_memory_private() -> None:  # pragma: no cover  it can't be undone in a test's process
    """Write no core dump, and let no other process of this user read our memory.

    Children get the kernel's default back when they run another program.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def steady_seconds() -> float:
    """Return seconds that no clock step changes, and that go on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Wakeup:
    """Wakes the thread that waits for it, from any other thread or a signal handler.

    `threading.Event` can't be set by a signal handler: a signal may interrupt the thread that holds
    the event's lock, and the handler would then wait for that lock without end. A queue's `put` may
    be called anywhere (https://docs.python.org/3/library/queue.html#queue.SimpleQueue).
    """

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


class Notify:
    """Tells systemd how the service is, by sd_notify(3); where nobody listens it says nothing.

    A message that can't be delivered is dropped: only what systemd shows depends on it.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        # systemd writes an abstract socket's leading NUL as @.
        self._address = f"\0{path[1:]}" if path.startswith("@") else path

    def ready(self) -> None:
        """Say that the start, or a reload, has ended."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is being read again."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def status(self, sentence: str) -> None:
        """Give the sentence that `systemctl status` shows."""
        self._send(f"STATUS={sentence}")

    def _send(self, text: str) -> None:
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(1)
                sender.sendto(text.encode(), self._address)
