"""The daemon's small HTTP server: it only tells, and one request a connection."""

from __future__ import annotations

import ipaddress
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from rotator.observe.bounded_server import BoundedInput, BoundedServer, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from structlog.typing import FilteringBoundLogger

HEADER_BYTES = 16 * 1024
"""How long a request may be, its line and its headers together."""

LIMITS = Limits()
"""The limits of the daemon's server."""

_DRAINED_BYTES = 64 * 1024
_LOOK_SECONDS = 0.5
_METHODS = ("GET", "HEAD")

_HEADERS = {
    "Cache-Control": "no-store",
    "Connection": "close",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent: `policy` is the Content-Security-Policy, where it is not the strictest."""

    body: bytes
    content_type: str
    status: int = 200
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a path. `local`: on a loopback address, only to who asks for one by name.

    A page of somebody else's can get a browser to ask us under another name (DNS rebinding).
    """

    answer: Callable[[], Answer]
    local: bool = False


def is_loopback(host: str) -> bool:
    """Tell whether an address, or a name of ours, can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


class HttpServer:
    """Serves `routes` on an address in threads of its own, from `start` to `stop`.

    Where the address can't be had, that is said once and tried again: rotating goes on meanwhile.
    """

    def __init__(
        self,
        host: str,
        port: int,
        routes: Mapping[str, Route],
        log: FilteringBoundLogger,
        limits: Limits = LIMITS,
        retry_seconds: float = 30.0,
    ) -> None:
        self._host = host
        self._port = port
        self._routes = routes
        self._log = log
        self._limits = limits
        self._retry_seconds = retry_seconds
        self._ended = threading.Event()
        self._server: _Server | None = None
        self._why = ""

    def start(self) -> None:
        """Begin to serve, or to try."""
        if not self._bind():
            self._log.error(
                "http not served yet",
                listen=f"{self._host}:{self._port}",
                detail=self._why,
                hint=f"see who has the address: ss -ltnp 'sport = :{self._port}'",
            )
        threading.Thread(target=self._run, name="http", daemon=True).start()

    def stop(self) -> None:
        """End it; connections that are open end by themselves."""
        self._ended.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _run(self) -> None:
        while self._server is None:
            if self._ended.wait(self._retry_seconds):
                return
            self._bind()
        self._log.info("http served", listen=f"{self._host}:{self._port}")
        self._server.serve_forever(_LOOK_SECONDS)

    def _bind(self) -> bool:
        try:
            self._server = _Server(self._host, self._port, self._routes, self._log, self._limits)
        except OSError as error:
            self._why = str(error)
            return False
        return True


class _Server(BoundedServer):
    """What the handlers of requests share."""

    def __init__(
        self,
        host: str,
        port: int,
        routes: Mapping[str, Route],
        log: FilteringBoundLogger,
        limits: Limits,
    ) -> None:
        self.routes = routes
        self.log = log
        self.guarded = is_loopback(host)

        def broke(client: str) -> None:
            log.debug("http connection broke", client=client)

        super().__init__(host, port, _Handler, limits, broke)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: _Server
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"

    def setup(self) -> None:
        """Bound what is read."""
        super().setup()
        self.connection.settimeout(self.server.limits.idle_seconds)
        self._input = BoundedInput(self.connection, HEADER_BYTES)
        self.rfile = BufferedReader(self._input)

    def parse_request(self) -> bool:
        """Read the request; answer at once, and return False, where it is none of ours."""
        understood = super().parse_request()
        self.close_connection = True
        if understood and self._input.exceeded:
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return False
        if understood and self.command not in _METHODS:
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)
            return False
        return understood

    def do_GET(self) -> None:
        """Answer with what the path's route says."""
        route = self.server.routes.get(self.path.partition("?")[0])
        if route is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        elif route.local and self.server.guarded and not self._is_asked_for_by_name():
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        else:
            try:
                answer = route.answer()
            except Exception:
                self.server.log.exception("http answer failed: this is a bug", path=self.path)
                self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
            else:
                self._send(answer)

    do_HEAD = do_GET  # noqa: N815  the library's name; `_send` leaves the body out

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer with an error, in one line that repeats nothing of the request."""
        del message, explain
        text = f"{code} {HTTPStatus(code).phrase}\n"
        if code == HTTPStatus.MISDIRECTED_REQUEST:
            text += "Ask for localhost: a proxy in between has to send Host: localhost.\n"
        self._send(Answer(text.encode(), "text/plain; charset=utf-8", code))
        self._drain()

    def version_string(self) -> str:
        """Name no version."""
        return "rotator"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the library's name
        """Log nothing: who looks changes nothing."""

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        headers = {**_HEADERS, "Content-Type": answer.content_type}
        if answer.policy is not None:
            headers["Content-Security-Policy"] = answer.policy
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_METHODS)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _drain(self) -> None:
        """Take what the client still sends: closing on it would take back our answer."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            left = _DRAINED_BYTES
            while left > 0 and (got := len(self.connection.recv(4096))):
                left -= got

    def _is_asked_for_by_name(self) -> bool:
        host = self.headers.get("Host", "")
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        return is_loopback(name)
