"""What the daemon serves over HTTP: a WSGI application that only reads, in waitress.

waitress bounds connections, threads and sizes. It sets no limit to a request's whole time, so this
module does: a client that sends a byte now and then is cut off.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

    from structlog.typing import FilteringBoundLogger

HEADER_BYTES = 16 * 1024
"""How long a request may be, its line and its headers together."""

_METHODS = ("GET", "HEAD")
_LONGEST_QUERY = 200
_CLOSE_SECONDS = 5.0
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Limits(NamedTuple):
    """What clients are allowed: connections at once, and seconds until a request has arrived."""

    connections: int = 64
    seconds: int = 10
    threads: int = 4


class Answer(NamedTuple):
    """What is sent: `policy` is the Content-Security-Policy, where it is not the strictest."""

    body: bytes
    content_type: str
    status: int = 200
    policy: str | None = None


class Route(NamedTuple):
    """What answers a path; it gets the value of `?q=`, which is empty where there is none.

    `local`: on a loopback address, only who asks for one by name gets an answer. A page of somebody
    else's can make a browser ask us under another name (DNS rebinding).
    """

    answer: Callable[[str], Answer]
    local: bool = False


def is_loopback(host: str) -> bool:
    """Tell whether an address, or a name of ours, can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def application(
    routes: Mapping[str, Route], log: FilteringBoundLogger, *, guarded: bool
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """Return the WSGI application; `guarded`: the server's address is a loopback one."""

    def answer(environ: WSGIEnvironment) -> Answer:
        route = routes.get(environ["PATH_INFO"])
        if environ["REQUEST_METHOD"] not in _METHODS:
            return _error(HTTPStatus.METHOD_NOT_ALLOWED)
        if route is None:
            return _error(HTTPStatus.NOT_FOUND)
        if route.local and guarded and not _is_asked_for_by_name(environ.get("HTTP_HOST", "")):
            return _error(
                HTTPStatus.MISDIRECTED_REQUEST,
                "Ask for localhost: a proxy in between has to send Host: localhost.\n",
            )
        try:
            return route.answer(_query(environ.get("QUERY_STRING", "")))
        except Exception:
            log.exception("http answer failed: this is a bug", path=environ["PATH_INFO"])
            return _error(HTTPStatus.INTERNAL_SERVER_ERROR)

    def serve(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        found = answer(environ)
        headers = {**_HEADERS, "Content-Type": found.content_type}
        if found.policy is not None:
            headers["Content-Security-Policy"] = found.policy
        if found.status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_METHODS)
        headers["Content-Length"] = str(len(found.body))
        start(f"{found.status} {HTTPStatus(found.status).phrase}", list(headers.items()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [found.body]

    return serve


class HttpServer:
    """Serves `routes` on an address in threads of its own, from `start` to `stop`.

    Where the address is taken, that is reported once and tried again: cycles go on meanwhile.
    """

    def __init__(
        self,
        host: str,
        port: int,
        routes: Mapping[str, Route],
        log: FilteringBoundLogger,
        limits: Limits | None = None,
        retry_seconds: float = 30.0,
    ) -> None:
        self._host = host
        self._port = port
        self._application = application(routes, log, guarded=is_loopback(host))
        self._log = log
        self._limits = limits or Limits()
        self._retry_seconds = retry_seconds
        self._ended = threading.Event()
        self._server: Any = None

    def start(self) -> None:
        """Begin to serve, or to try."""
        if why := self._bind():
            self._log.error(
                "http does not listen yet",
                listen=f"{self._host}:{self._port}",
                detail=why,
                hint=f"find who has the address: ss -ltnp 'sport = :{self._port}'",
            )
        threading.Thread(target=self._run, name="http", daemon=True).start()

    def stop(self) -> None:
        """End it; connections that are open end by themselves."""
        self._ended.set()
        if self._server is None:
            return
        closed = threading.Event()

        def close() -> None:
            self._server.close()
            closed.set()

        # The loop's thread closes the socket that it waits for, so that another server can start
        # on the same address at once.
        self._server.trigger.pull_trigger(close)
        closed.wait(_CLOSE_SECONDS)

    def _run(self) -> None:
        while self._server is None:
            if self._ended.wait(self._retry_seconds):
                return
            self._bind()
        self._log.info("http listens", listen=f"{self._host}:{self._port}")
        self._server.run()
        self._server.task_dispatcher.shutdown()

    def _bind(self) -> str:
        """Bind to the address; return why that is not possible, an empty text where it is."""
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            server = create_server(
                self._application,
                host=found[0][4][0],
                port=self._port,
                threads=self._limits.threads,
                connection_limit=2 * self._limits.connections,
                channel_timeout=self._limits.seconds,
                cleanup_interval=1,
                max_request_header_size=HEADER_BYTES,
                max_request_body_size=HEADER_BYTES,
                ident="rotator",
                asyncore_use_poll=True,
            )
        except OSError as error:
            return str(error)
        server.channel_class = _Channel
        self._server = server
        return ""


class _ErrorTask(ErrorTask):  # type: ignore[misc]  # published without types
    """waitress's own answer to what is no request, in one line and with our headers."""

    def execute(self) -> None:
        """Answer."""
        error = self.request.error
        self.status = f"{error.code} {error.reason}"
        body = f"{self.status}\n".encode()
        self.response_headers = [*_HEADERS.items(), ("Content-Type", "text/plain; charset=utf-8")]
        self.response_headers.append(("Content-Length", str(len(body))))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]  # as above
    """A connection. A part of a request does not prolong its time.

    waitress stops accepting at its limit of connections, which is twice ours.
    """

    error_task_class = _ErrorTask
    last_activity: float

    def __init__(self, server: Any, *about: Any, **more: Any) -> None:
        super().__init__(server, *about, **more)
        # One connection too many closes the oldest that waits, so that nobody keeps others out.
        waiting = [one for one in server.active_channels.values() if not one.requests]
        if len(server.active_channels) > server.adj.connection_limit // 2:
            waiting[0].handle_close()

    def handle_read(self) -> None:
        """Read what is there."""
        before = self.last_activity
        super().handle_read()
        if self.request is not None:
            self.last_activity = before


def _error(status: HTTPStatus, more: str = "") -> Answer:
    """Return an error in one line that repeats nothing of the request."""
    text = f"{status.value} {status.phrase}\n{more}"
    return Answer(text.encode(), "text/plain; charset=utf-8", status.value)


def _query(text: str) -> str:
    try:
        return parse_qs(text, max_num_fields=5).get("q", [""])[0][:_LONGEST_QUERY]
    except ValueError:
        return ""


def _is_asked_for_by_name(host: str) -> bool:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return is_loopback(name)
