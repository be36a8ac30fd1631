"""A name server that hangs for some names, between this process and the system's."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class NameServer:
    """Lets names below `.hangs` hang until `answers` is set; `registry.test` is this machine."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.asked: list[str] = []
        self._real = socket.getaddrinfo

    def look_up(self, host: str, *args: Any, **named: Any) -> Any:
        """Answer as `getaddrinfo` does."""
        self.asked.append(host)
        if host.endswith(".hangs"):
            self.answers.wait(30)
        known = host.endswith((".hangs", ".test"))
        return self._real("127.0.0.1" if known else host, *args, **named)


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """Stand between this process and the system's names."""
    made = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", made.look_up)
    yield made
    made.answers.set()
