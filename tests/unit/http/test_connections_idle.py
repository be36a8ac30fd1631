"""Open connections: used again at once, made again after a rest."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
import requests

from rotator.http.connections import Idle
from rotator.http.session import BoundedAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


class Server(ThreadingHTTPServer):
    """Counts who connects."""

    daemon_threads = True
    connections = 0


class Handler(BaseHTTPRequestHandler):
    """Answers that there is nothing to say, and keeps the connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        """Count the connection."""
        self.server.connections += 1
        super().setup()

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_rest_ends_connections(server: Server) -> None:
    """What is on the way may have forgotten them; those of one second are the same."""
    clock = Clock()
    with requests.Session() as session:
        session.mount("http://", BoundedAdapter(10.0, clock))
        url = f"http://127.0.0.1:{server.server_port}/"
        for pause, connections in ((0, 1), (29, 1), (29, 1), (31, 2), (1, 2), (7200, 3)):
            clock.now += pause
            session.get(url, timeout=10)
            assert server.connections == connections


def test_only_the_first_after_a_rest_closes() -> None:
    """Others that come at the same time have connections already that must live."""
    clock, closed = Clock(), []
    idle = Idle(lambda: closed.append(clock.now), clock)
    clock.now += 60
    for _ in range(3):
        idle.end()
    assert closed == [1060.0]
