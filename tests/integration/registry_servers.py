"""Servers in the place of a registry, which answer what a test says."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

from rotator.http.client import Limits

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator


QUICK = Limits(connect=0.5, read=0.5, overall=1.0)


class Server:
    """Where it listens, and what it was asked."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.elsewhere = f"registry.test:{port}"
        self.requests: list[bytes] = []


@contextmanager
def server(
    act: Callable[[socket.socket, bytes, Event], None], tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """Listen on loopback; let `act` answer each request."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        found = Server(listener.getsockname()[1])
        closing = Event()
        stack.callback(closing.set)

        def serve(connection: socket.socket) -> None:
            with connection:
                try:
                    if tls is None and connection.recv(1, socket.MSG_PEEK) == b"\x16":
                        return
                    spoken = tls.wrap_socket(connection, server_side=True) if tls else connection
                    with spoken:
                        while request := spoken.recv(65536):
                            found.requests.append(request)
                            act(spoken, request, closing)
                except OSError:
                    return

        def listen() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                Thread(target=serve, args=(connection,), daemon=True).start()

        Thread(target=listen, daemon=True).start()
        stack.callback(listener.shutdown, socket.SHUT_RDWR)
        yield found


def answer(status: str, headers: str = "", body: bytes = b"") -> bytes:
    """Return a whole answer."""
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


CHALLENGE = 'WWW-Authenticate: Basic realm="r"\r\n'
