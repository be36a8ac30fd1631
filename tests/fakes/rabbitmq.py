"""RabbitMQ's management API as far as Vault's engine uses it: users that come and go."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.fakes.loopback import Loopback


class RabbitMq(Loopback):
    """`users` maps each user there is to its password."""

    def __init__(self) -> None:
        self.users: dict[str, str] = {}
        self.made = 0
        self.serve(_handler(self))
        self.url = f"http://127.0.0.1:{self.port}"


def _handler(fake: RabbitMq) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            document = json.loads(self.rfile.read(length) or b"{}")
            kind, _, name = self.path.removeprefix("/api/").partition("/")
            if kind == "users":
                fake.users[name] = document["password"]
                fake.made += 1
            self._answer(201)

        def do_DELETE(self) -> None:
            fake.users.pop(self.path.removeprefix("/api/users/"), None)
            self._answer(204)

        def log_message(self, *args: Any) -> None:
            pass

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    return Handler
