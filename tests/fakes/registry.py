"""A registry that asks for a login and holds no image: enough to prove a credential at."""

from __future__ import annotations

import base64
from http.server import BaseHTTPRequestHandler

from tests.fakes.loopback import Loopback


class BasicRegistry(Loopback):
    """Accepts the logins in `passwords` (user: password) at `/v2/`; change them while it runs.

    `blocked`: the page with which a proxy in front of it refuses every login (empty: none does).
    """

    def __init__(self, passwords: dict[str, str], port: int = 0) -> None:
        self.passwords = passwords
        self.blocked = ""
        self.serve(type("Handler", (_Handler,), {"registry": self}), port)
        self.host = f"127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    registry: BasicRegistry

    def do_GET(self) -> None:
        """Answer 200 to a login that is accepted, else 401 with the challenge."""
        _, _, login = self.headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(login).decode().partition(":")
        good = bool(user) and self.registry.passwords.get(user) == password
        blocked = self.registry.blocked if user else ""
        body = (blocked or "{}").encode()
        self.send_response(403 if blocked else 200 if good else 401)
        self.send_header("WWW-Authenticate", 'Basic realm="registry"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
        """Print nothing."""
