"""A server with some paths, and what asks it."""

from __future__ import annotations

import socket
from contextlib import suppress
from http.client import HTTPConnection

from rotator.observe.http import Answer, Limits, Route
from tests.support import MARKED


def broken(_: str) -> Answer:
    """Fail, as a bug would."""
    raise KeyError(f"{MARKED}x")


QUICK = Limits(connections=8, seconds=2, threads=2)

ROUTES = {
    "/metrics": Route(lambda _: Answer(b"metrics\n", "text/plain")),
    "/page": Route(
        lambda query: Answer(f"page {query}\n".encode(), "text/html", policy="style-src x"),
        local=True,
    ),
    "/unready": Route(lambda _: Answer(b"{}", "application/json", 503)),
    "/bug": Route(broken),
}


def ask(
    port: int, path: str, method: str = "GET", host: str = "127.0.0.1", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of an answer."""
    connection = HTTPConnection(host, port, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def send(port: int, data: bytes) -> bytes:
    """Return all that comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(data)
        got = b""
        # Whoever sends on after a refusal is reset, and may lose the answer.
        with suppress(ConnectionResetError):
            while more := client.recv(65536):
                got += more
        return got


def answers(port: int) -> bool:
    """Tell whether something answers there."""
    try:
        return ask(port, "/metrics")[0] == 200
    except OSError:
        return False
