"""Servers that never end: little time, little memory, and an error that says so."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import DriverError, Reason
from tests.fakes.ecr import key_in_environment
from tests.fuzz.drivers import DRIVERS, READ_SECONDS
from tests.fuzz.stub import Stub

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path
    from threading import Event

    from tests.fuzz.drivers import Driver

MOST_SECONDS = 30 * READ_SECONDS
"""Unbounded, each would take for ever; a busy machine needs some of this to read what it may."""

MOST_MEMORY = 40 * 1024 * 1024
"""Bytes; each of these servers would send a hundred times as many."""

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def for_ever(connection: socket.socket, closing: Event, block: bytes, pause: float = 0) -> None:
    """Send a block again and again, until the other side has had enough."""
    while not closing.wait(pause):
        connection.sendall(block)


def endless_body(connection: socket.socket, closing: Event) -> None:
    """Send a body that never ends."""
    connection.sendall(JSON + b"\r\n")
    for_ever(connection, closing, b" " * 65536)


def endless_length(connection: socket.socket, closing: Event) -> None:
    """Say that a body is large, and send it."""
    connection.sendall(JSON + b"Content-Length: 99999999999\r\n\r\n")
    for_ever(connection, closing, b" " * 65536)


def endless_chunks(connection: socket.socket, closing: Event) -> None:
    """Send chunks for ever."""
    connection.sendall(JSON + b"Transfer-Encoding: chunked\r\n\r\n")
    for_ever(connection, closing, b"1000\r\n" + b" " * 4096 + b"\r\n")


def endless_error(connection: socket.socket, closing: Event) -> None:
    """Send an error that never ends."""
    connection.sendall(JSON.replace(b"200 OK", b"503 No") + b"\r\n")
    for_ever(connection, closing, b"x" * 65536)


def endless_redirect(connection: socket.socket, closing: Event) -> None:
    """Redirect with a body that never ends."""
    connection.sendall(JSON.replace(b"200 OK", b"307 No") + b"Location: /x\r\n\r\n")
    for_ever(connection, closing, b"x" * 65536)


def slow_body(connection: socket.socket, closing: Event) -> None:
    """Send a body a byte at a time."""
    connection.sendall(JSON + b"Content-Length: 60000\r\n\r\n")
    for_ever(connection, closing, b" ", READ_SECONDS / 5)


def many_headers(connection: socket.socket, closing: Event) -> None:
    """Send headers for ever."""
    connection.sendall(JSON)
    for_ever(connection, closing, b"X-More: " + b"y" * 1000 + b"\r\n")


def one_header(connection: socket.socket, closing: Event) -> None:
    """Send one header that never ends."""
    connection.sendall(JSON + b"X-More: ")
    for_ever(connection, closing, b"y" * 65536)


def silence(_connection: socket.socket, closing: Event) -> None:
    """Say nothing."""
    closing.wait(30)


def gzip_bomb(connection: socket.socket, _closing: Event) -> None:
    """Send little that becomes half a gigabyte."""
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    connection.sendall(JSON + head % len(BOMB) + BOMB)


def cut_off(connection: socket.socket, _closing: Event) -> None:
    """End in the middle of what looks whole."""
    connection.sendall(JSON + b"Content-Length: 900\r\n\r\n{}")


def slow_headers(connection: socket.socket, closing: Event) -> None:
    """Send headers a byte at a time."""
    connection.sendall(JSON)
    for_ever(connection, closing, b"x", READ_SECONDS / 5)


def _bomb() -> bytes:
    packer = zlib.compressobj(wbits=31)
    block = b" " * 1024 * 1024
    return b"".join(packer.compress(block) for _ in range(64)) * 1 + packer.flush()


BOMB = _bomb()
HARM = (
    *(endless_body, endless_length, endless_chunks, endless_error, endless_redirect, slow_body),
    *(many_headers, one_header, silence, gzip_bomb, cut_off, slow_headers),
)
TIME_IS_NOT_BOUNDED = {(slow_headers, "ecr")}
"""Their libraries read headers by themselves; the fan-out's deadline is what ends the waiting."""
REASONS = {Reason.MALFORMED, Reason.TIMEOUT, Reason.UNREACHABLE, Reason.UNAVAILABLE}
REASONS |= {Reason.NOT_FOUND, Reason.INVALID, Reason.TOO_LARGE}


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("kind", [kind for kind in DRIVERS if kind != "vault_dynamic"])
def test_harm(
    kind: str,
    harm: Callable[[socket.socket, Event], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the server does, its driver is done with it soon, and says what is wrong."""
    if (harm, kind) in TIME_IS_NOT_BOUNDED:
        return
    key_in_environment(monkeypatch)
    with Stub() as stub:
        stub.harm = harm
        driver: Driver = DRIVERS[kind](stub.url, tmp_path)
        tracemalloc.start()
        began = time.monotonic()
        try:
            with pytest.raises(DriverError) as caught:
                driver.use()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert time.monotonic() - began < MOST_SECONDS
    assert caught.value.reason in REASONS
    assert caught.value.hint
    assert peak < MOST_MEMORY
