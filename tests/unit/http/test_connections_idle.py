"""Open connections: used again at once, made again after a rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from rotator.http.connections import Idle
from rotator.http.session import BoundedAdapter
from tests.fakes.loopback import Handler, Loopback

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


class Server(Loopback):
    """Counts who connects."""

    connections = 0


class Counting(Handler):
    """Answers that there is nothing to say, and keeps the connection."""

    fake: Server

    def setup(self) -> None:
        """Count the connection."""
        self.fake.connections += 1
        super().setup()

    def do_GET(self) -> None:
        """Answer."""
        self.send(204)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.serve(Counting)
    with server:
        yield server


def test_a_rest_ends_connections(server: Server) -> None:
    """What is on the way may have forgotten them; those of one second are the same."""
    clock = Clock()
    with requests.Session() as session:
        session.mount("http://", BoundedAdapter(10.0, clock))
        for pause, connections in ((0, 1), (29, 1), (29, 1), (31, 2), (1, 2), (7200, 3)):
            clock.now += pause
            session.get(server.url, timeout=10)
            assert server.connections == connections


def test_only_the_first_after_a_rest_closes() -> None:
    """Others that come at the same time have connections already that must live."""
    clock, closed = Clock(), []
    idle = Idle(lambda: closed.append(clock.now), clock)
    clock.now += 60
    for _ in range(3):
        idle.end()
    assert closed == [1060.0]
