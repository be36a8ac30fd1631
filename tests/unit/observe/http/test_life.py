"""How the daemon's server begins and ends."""

from __future__ import annotations

import socket
import threading

import structlog

from rotator.observe.http import HttpServer
from tests.support import free_port, until
from tests.unit.observe.http.served import QUICK, ROUTES, answers, ask


def test_an_address_that_is_taken_is_tried_again() -> None:
    """The daemon goes on without, says so, and serves as soon as it can."""
    number = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", number))
        taken.listen()
        with structlog.testing.capture_logs() as said:
            log = structlog.get_logger()
            server = HttpServer("127.0.0.1", number, ROUTES, log, QUICK, retry_seconds=0.05)
            server.start()
    until(lambda: answers(number), what="the server")
    server.stop()
    assert said[0]["event"] == "http does not listen yet"
    assert "ss -ltnp" in said[0]["hint"]


def test_a_server_that_stops_lets_the_address_go() -> None:
    """A reload that changes the address, or takes it out, ends the old one."""
    number = free_port()
    for _ in range(2):
        server = HttpServer("localhost", number, ROUTES, structlog.get_logger())
        server.start()
        assert ask(number, "/metrics", host="localhost")[0] == 200
        server.stop()
    assert not answers(number)


def test_a_server_that_never_came_up_ends() -> None:
    """Nobody waits for its next try."""
    number = free_port()
    before = set(threading.enumerate())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", number))
        taken.listen()
        with structlog.testing.capture_logs():
            server = HttpServer("127.0.0.1", number, ROUTES, structlog.get_logger(), QUICK)
            server.start()
            (thread,) = (t for t in set(threading.enumerate()) - before if t.name == "http")
            server.stop()
    thread.join(20)
    assert not thread.is_alive()
