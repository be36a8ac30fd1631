"""The HTTP server: what it answers, and what it does not put up with."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, suppress
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

import pytest
import structlog

from rotator.observe.http import HEADER_BYTES, Answer, HttpServer, Limits, Route, is_loopback
from tests.support import MARKED, free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator


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


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Return the port of a server on a loopback address."""
    number = free_port()
    server = HttpServer("127.0.0.1", number, ROUTES, structlog.get_logger(), QUICK)
    server.start()
    yield number
    server.stop()


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


def test_answers(port: int) -> None:
    """A path's answer with its status and type; a query changes nothing."""
    assert ask(port, "/metrics")[::2] == (200, b"metrics\n")
    assert ask(port, "/metrics?a=b")[::2] == (200, b"metrics\n")
    assert ask(port, "/unready")[::2] == (503, b"{}")
    assert ask(port, "/nothing")[0] == 404
    assert ask(port, "/metrics/../page")[0] == 404
    assert ask(port, "//metrics")[0] == 200


def test_a_query_reaches_the_page(port: int) -> None:
    """`?q=` and nothing else of it, and no more than a name can be long."""
    assert ask(port, "/page?q=a%20b&other=1")[2] == b"page a b\n"
    assert len(ask(port, f"/page?q={'x' * 5000}")[2]) < 300
    assert ask(port, "/page?" + "&".join(f"a{n}=1" for n in range(99)))[::2] == (200, b"page \n")


def test_head_has_no_body(port: int) -> None:
    """The headers are those of a GET."""
    status, headers, body = ask(port, "/metrics", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "8", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "EVIL"])
def test_only_reads(port: int, method: str) -> None:
    """Whatever could mean a change is refused, also with a body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, "/metrics", body=b"x" * 10_000)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Allow")) == (405, "GET, HEAD")
    assert answer.read() == b"405 Method Not Allowed\n"
    connection.close()


@pytest.mark.parametrize("path", ["/metrics", "/page", "/nothing", "/bug"])
def test_headers(port: int, path: str) -> None:
    """Every answer has the security headers, and tells no version."""
    _, headers, _ = ask(port, path)
    wanted = "style-src x" if path == "/page" else "default-src 'none'; frame-ancestors 'none'"
    assert headers["Content-Security-Policy"] == wanted
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Server"] == "rotator"


def test_a_bug_tells_nothing(port: int) -> None:
    """What went wrong is for the log."""
    assert ask(port, "/bug")[::2] == (500, b"500 Internal Server Error\n")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:9465", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:9465", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
    ],
)
def test_dns_rebinding(port: int, host: str, status: int) -> None:
    """A page from elsewhere that calls us by its own name learns nothing."""
    answer = send(port, f"GET /page HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert send(port, f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())[9:12] == b"200"


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


def answers(port: int) -> bool:
    """Tell whether something answers there."""
    try:
        return ask(port, "/metrics")[0] == 200
    except OSError:
        return False


def test_a_server_that_stops_lets_the_address_go() -> None:
    """A reload that changes the address, or takes it out, ends the old one."""
    number = free_port()
    for _ in range(2):
        server = HttpServer("localhost", number, ROUTES, structlog.get_logger())
        server.start()
        assert ask(number, "/metrics", host="localhost")[0] == 200
        server.stop()
    assert not answers(number)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104  nothing is bound
        ("::", False),
        ("10.0.0.1", False),
        ("example.com", False),
    ],
)
def test_loopback(host: str, *, loopback: bool) -> None:
    """Only what cannot be reached from elsewhere is loopback."""
    assert is_loopback(host) is loopback


def test_bounds_are_what_they_are() -> None:
    """The bounds themselves: a change here is a decision."""
    assert Limits(connections=64, seconds=10, threads=4) == Limits()
    assert HEADER_BYTES == 16384


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
