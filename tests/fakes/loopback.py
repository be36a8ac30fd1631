"""What fakes that speak HTTP have in common: a server on loopback, for the length of a `with`."""

from __future__ import annotations

import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

_TLS_HANDSHAKE = b"\x16"


class Handler(BaseHTTPRequestHandler):
    """Answers for `fake`, the `Loopback` that it belongs to, and prints nothing."""

    fake: Any
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # answers don't wait for an acknowledgement

    def handle(self) -> None:
        """Hang up at once on who speaks TLS; `http.server` would wait for the end of a line."""
        over_tls = isinstance(self.connection, ssl.SSLSocket)
        if over_tls or self.connection.recv(1, socket.MSG_PEEK) != _TLS_HANDSHAKE:
            super().handle()

    def body(self) -> bytes:
        """Return the request's body."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def send(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send an answer, with the time and the length in its headers."""
        known = {"Date": self.date_time_string(), "Content-Length": str(len(body))}
        self.send_response_only(status)
        for name, value in {**known, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Loopback:
    """A context manager. A subclass calls `serve`, and has an address from then on.

    `closing` is set at the end, for handlers that wait.
    """

    port: int = 0
    host = ""
    url = ""

    def serve(
        self, handler: type[Handler], port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        """Bind the address; connections are accepted, and answered from `__enter__` on."""
        mine = type("Handler", (handler,), {"fake": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), mine)
        self._server.daemon_threads = True
        # A client that hangs up is no news, and one that stays holds nobody back.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._server.block_on_close = False
        if tls is not None:
            # The handshake belongs in the connection's own thread.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self.closing = threading.Event()
        self.port = self._server.server_port
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"

    def __enter__(self) -> Self:
        """Answer."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop answering."""
        self.stop()

    def stop(self) -> None:
        """Refuse connections from now on; more than once is fine."""
        self.closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
