"""Tells systemd how the service is: ready, reloading, stopping, alive, and in a sentence."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Notify:
    """Speaks sd_notify(3) where a service manager listens; elsewhere it says nothing.

    A message that can't be delivered is dropped: nothing depends on it but the manager's picture.
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
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(1)
            try:
                sender.sendto(text.encode(), self._address)
            except OSError:
                return
