"""What a server that means harm sends once it was asked: a function of its connection each.

The second argument is set when the test has ended.
"""

from __future__ import annotations

import socket
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    Harm = Callable[[socket.socket, Event], None]

MUCH = b" " * 65536


def sending(begin: bytes, block: bytes, pause: float = 0) -> Harm:
    """Send a beginning and then a block for ever, until the other side has had enough."""

    def harm(connection: socket.socket, closing: Event) -> None:
        connection.sendall(begin)
        while not closing.wait(pause):
            connection.sendall(block)

    return harm


def once(text: bytes) -> Harm:
    """Send a text, and that there is no more."""

    def harm(connection: socket.socket, _closing: Event) -> None:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)

    return harm


def silence(_connection: socket.socket, closing: Event) -> None:
    """Say nothing."""
    closing.wait(30)


def packed(mebibytes: int) -> bytes:
    """Return this much white space as gzip has it, made without holding it all."""
    packer = zlib.compressobj(wbits=31)
    block = b" " * 1024 * 1024
    return b"".join(packer.compress(block) for _ in range(mebibytes)) + packer.flush()


BOMB = packed(64)


def harms(begin: bytes, pause: float) -> dict[str, Harm]:
    """Return everything, by its name. `begin`: the first lines of the answer."""
    gzip = begin + b"Content-Encoding: gzip\r\n"
    return {
        "endless body": sending(begin + b"\r\n", MUCH),
        "endless length": sending(begin + b"Content-Length: 99999999999\r\n\r\n", MUCH),
        "endless chunks": sending(
            begin + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b" " * 4096 + b"\r\n"
        ),
        "endless error": sending(b"HTTP/1.1 503 No\r\n\r\n", MUCH),
        "endless redirect": sending(b"HTTP/1.1 307 No\r\nLocation: /x\r\n\r\n", MUCH),
        "endless headers": sending(begin, b"X-More: " + b"y" * 1000 + b"\r\n"),
        "one endless header": sending(begin + b"X-More: ", b"y" * 65536),
        "always to be continued": sending(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "slow first line": sending(b"", b"H", pause),
        "slow headers": sending(begin, b"x", pause),
        "slow body": sending(begin + b"Content-Length: 60000\r\n\r\n", b" ", pause),
        "gzip bomb": once(gzip + b"Content-Length: %d\r\n\r\n" % len(BOMB) + BOMB),
        "broken gzip": once(gzip + b"Content-Length: 10\r\n\r\n\x1f\x8bnonsense"),
        "cut off": once(begin + b"Content-Length: 900\r\n\r\n{}"),
        "silence": silence,
    }
