"""What is said of something that listens and speaks no HTTP."""

from __future__ import annotations

import socket
from contextlib import closing, suppress
from http.client import BadStatusLine
from threading import Thread
from typing import TYPE_CHECKING

import pytest
import requests

from rotator.http.causes import no_http, system_message
from tests.support import MARKED

if TYPE_CHECKING:
    from collections.abc import Iterator


def once(answer: bytes) -> Iterator[str]:
    """Answer one request with these bytes, whatever it is; give the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError), closing(server.accept()[0]) as connection:
                connection.recv(65536)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1)

        thread = Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "what listens there speaks no HTTP: it begins with `SSH-2`"),
        (b"220 mail ESMTP\r\n", "what listens there speaks no HTTP: it begins with `220`"),
        (b"\x15\x03\x01\x00\x02\x02\x16", "it speaks TLS there, and was asked without"),
        (b'{"password": "' + MARKED.encode(), "what listens there speaks no HTTP"),
        (b"", ""),
    ],
)
def test_what_came_back(answer: bytes, said: str) -> None:
    """Its kind is told by how it begins; nothing else of it is shown."""
    for url in once(answer):
        with pytest.raises(requests.ConnectionError) as caught:
            requests.get(url, timeout=10)
    assert no_http(caught.value).replace("2.0", "2") == said
    if not answer:
        assert system_message(caught.value) == "it ended the connection without an answer"


def test_no_line_at_all() -> None:
    """An answer may end before its first letter."""
    assert no_http(BadStatusLine("")) == "what listens there speaks no HTTP"
    assert no_http(OSError()) == ""
