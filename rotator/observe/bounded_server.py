"""A TCP server that nobody can make hold much: connections and their time are bounded."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from io import RawIOBase
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from socketserver import BaseRequestHandler


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients are allowed.

    `connections`: how many are served at once, one more ends the oldest. `seconds`: how long a
    connection may take in all. `idle_seconds`: how long its client may be silent.
    """

    connections: int = 32
    seconds: float = 10.0
    idle_seconds: float = 5.0


class BoundedServer(ThreadingTCPServer):
    """Bounds how many connections there are, and how long each may take.

    `broke` is told the address of a client whose connection broke.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self,
        host: str,
        port: int,
        handler: type[BaseRequestHandler],
        limits: Limits,
        broke: Callable[[str], None],
    ) -> None:
        self.limits = limits
        self._broke = broke
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}
        self._ending: set[socket.socket] = set()
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__(cast("tuple[str, int]", found[0][4]), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread; where there are too many, end the oldest."""
        with self._lock:
            if len(self._open) >= self.limits.connections:
                self._cut(next(iter(self._open)))
            refused = len(self._open) + len(self._ending) >= 2 * self.limits.connections
            if not refused:
                self._open[request] = time.monotonic()
        if refused:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, and no longer count it."""
        super().shutdown_request(request)
        with self._lock:
            self._open.pop(request, None)
            self._ending.discard(request)

    def service_actions(self) -> None:
        """End the connections that take too long; called twice a second."""
        latest = time.monotonic() - self.limits.seconds
        with self._lock:
            for request in [one for one, began in self._open.items() if began < latest]:
                self._cut(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  the library's
        """Let a connection that broke go: that is its client's affair."""
        self._broke(str(client_address[0]))

    def _cut(self, request: socket.socket) -> None:
        """Wake the thread that waits for this connection: it then ends by itself."""
        del self._open[request]
        self._ending.add(request)
        with suppress(OSError):  # its client was quicker
            request.shutdown(socket.SHUT_RDWR)


class BoundedInput(RawIOBase):
    """What a client sends, up to a number of bytes; `exceeded` once it sent more."""

    def __init__(self, connection: socket.socket, limit: int) -> None:
        self._connection = connection
        self._left = limit
        self.exceeded = False

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read as much as is there, within what is left."""
        if self._left == 0:
            self.exceeded = True
            return 0
        count = self._connection.recv_into(buffer, min(len(buffer), self._left))
        self._left -= count
        return count
