"""What fakes that speak HTTP have in common: a server on loopback, for the length of a `with`."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Loopback:
    """A context manager. A subclass makes the server with `serve` and then knows its `port`."""

    port = 0

    def serve(self, handler: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        """Bind the address; connections are accepted, and answered from `__enter__` on."""
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        # A client that hangs up is no news, and one that stays holds nobody back.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._server.block_on_close = False
        self.port = self._server.server_port

    def __enter__(self) -> Self:
        """Answer."""
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
