"""What clients may cost the daemon's server."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, suppress
from http.client import HTTPException

import pytest

from rotator.observe.http import HEADER_BYTES, Limits
from tests.support import until
from tests.unit.observe.http.served import QUICK, ask, send


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /metrics HTTP/x\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02 \xff \x00\r\n\r\n", b"400"),
        (b"one\r\n\r\n", b"400"),
        (b"GET /<script> HTTP/1.1\r\n\r\n", b"404"),
    ],
    ids=["version", "tls", "one word", "script"],
)
def test_what_is_no_request(port: int, request_line: bytes, status: bytes) -> None:
    """It is refused, and never sent back."""
    answer = send(port, request_line)
    assert answer[9:12] == status
    assert b"script" not in answer


@pytest.mark.parametrize(
    "data",
    [
        b"GET /metrics HTTP/1.1\r\nX: " + b"x" * HEADER_BYTES + b"\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n" + b"X: x\r\n" * (HEADER_BYTES // 6 + 1) + b"\r\n",
        b"GET /" + b"x" * HEADER_BYTES + b" HTTP/1.1\r\n\r\n",
    ],
    ids=["one big", "many bytes", "path"],
)
def test_big_headers(port: int, data: bytes) -> None:
    """More than a request needs is refused before it is held."""
    assert send(port, data)[9:12] in {b"400", b"414", b"431", b""}


def test_endless_headers_end(port: int) -> None:
    """Somebody who never stops sending is cut off after a bounded number of bytes."""
    chunk, sent = b"X: " + b"x" * 65536, 0
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client, suppress(OSError):
        while sent < 100 * 1024 * 1024:
            client.sendall(chunk)
            sent += len(chunk)
    assert sent < 20 * 1024 * 1024


def test_a_slow_client_is_cut_off(port: int) -> None:
    """One byte a second keeps a connection for its time and no longer."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        ended = threading.Event()

        def drip() -> None:
            while not ended.wait(0.1):
                try:
                    client.sendall(b"x")
                except OSError:
                    return

        client.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        threading.Thread(target=drip, daemon=True).start()
        try:
            got = client.recv(1)
        except ConnectionResetError:
            got = b""
        ended.set()
    assert got == b""
    assert QUICK.seconds * 0.8 < time.monotonic() - began < QUICK.seconds + 8


def test_a_silent_client_is_cut_off(port: int) -> None:
    """Who says nothing at all goes too."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        assert client.recv(1) == b""
    assert time.monotonic() - began < QUICK.seconds + 8


def test_many_connections(port: int) -> None:
    """However many are opened, threads stay few and the next one is answered.

    It may be refused for the moment that those before it take to end.
    """
    threads = threading.active_count()

    def answers() -> bool:
        with suppress(HTTPException, OSError):
            return ask(port, "/metrics")[0] == 200
        return False

    with ExitStack() as stack:
        for _ in range(QUICK.connections * 20):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            client.sendall(b"GET /met")
        until(answers, 10, "an answer among so many")
        assert threading.active_count() <= threads + QUICK.connections * 2
    until(lambda: threading.active_count() <= threads + 1, what="the threads' end")


def test_bounds_are_what_they_are() -> None:
    """The bounds themselves: a change here is a decision."""
    assert Limits(connections=64, seconds=10, threads=4) == Limits()
    assert HEADER_BYTES == 16384
