"""What the daemon's server answers, and to whom."""

from __future__ import annotations

from http.client import HTTPConnection

import pytest

from rotator.observe.http import is_loopback
from tests.unit.observe.http.served import ask, send


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
