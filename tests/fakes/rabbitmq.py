"""RabbitMQ's management API as far as Vault's engine uses it: users that come and go."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class RabbitMq:
    """A context manager: HTTP on loopback; `users` maps each user there is to its password."""

    def __init__(self) -> None:
        self.users: dict[str, str] = {}
        self.made = 0
        self._server = _server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _server(fake: RabbitMq) -> ThreadingHTTPServer:
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

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)
