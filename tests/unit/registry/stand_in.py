"""A registry that answers what a test says, and notes what it was asked."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from rotator.core.model import Credential, Secret
from tests.support import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "s3cr3t-of-ci"
Replied = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    authorization: str
    form: dict[str, str]
    cookie: str | None


class Registry:
    """Answers what `respond` says to a path and an authorization."""

    def __init__(self) -> None:
        self.respond: Callable[[str, str], Replied] = basic(200)
        self.requests: list[Asked] = []
        handler = type("Handler", (_Handler,), {"registry": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}"

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Path and authorization of each request."""
        return [(one.path, one.authorization) for one in self.requests]

    def saw_login(self) -> bool:
        """Tell whether any request had credentials."""
        return any(one.authorization or one.form for one in self.requests)


@contextmanager
def in_place_of() -> Iterator[Registry]:
    """Serve on loopback for the block."""
    made = Registry()
    Thread(target=made.server.serve_forever, args=(0.01,), daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    registry: Registry

    def handle(self) -> None:
        """Hang up at once on who speaks TLS."""
        if self.connection.recv(1, 2) != b"\x16":
            super().handle()

    def do_GET(self) -> None:
        """Answer what the test says."""
        length = int(self.headers.get("Content-Length", "0"))
        form = dict(parse_qsl(self.rfile.read(length).decode()))
        authorization = self.headers.get("Authorization", "")
        cookie = self.headers.get("Cookie")
        asked = Asked(self.command, self.path, authorization, form, cookie)
        self.registry.requests.append(asked)
        status, headers, body = self.registry.respond(self.path, authorization)
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Answer what the test says."""
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def basic(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None
) -> Callable[[str, str], Replied]:
    """Challenge with Basic; answer an offered credential with this."""
    challenge = {"WWW-Authenticate": 'Basic realm="tests"'}
    return lambda _, authorization: (
        (status, headers or {}, body) if authorization else (401, challenge, b"")
    )


def bearer(parameters: str) -> Replied:
    """Challenge with Bearer."""
    return 401, {"WWW-Authenticate": f"Bearer {parameters}"}, b""


def errors(code: str = "DENIED", message: str = "no") -> bytes:
    """Return a registry's error document."""
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def credential(registry: str, username: str = "ci", password: str = SECRET) -> Credential:
    """Return a login for this registry."""
    return Credential(registry, username, Secret(password), NOW)
