"""Connections that end in time, whatever the name server, the network and the other side do.

A socket's timeout bounds neither: a name's look-up has none, and it starts again with each byte.
"""

from __future__ import annotations

import ipaddress
import math
import socket
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

from rotator.http.reading import TimedResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Addresses = list[tuple[Any, ...]]

# Load balancers, firewalls and NAT gateways forget a connection after a minute or some, and many of
# them without a word: the next request on it would be lost.
_LONGEST_IDLE = 30.0


class NameServerTimeoutError(ConnectTimeoutError):
    """The name server did not answer in time."""


class _Timed:
    """Each wait ends at `deadline()`, a time of the monotonic clock."""

    def __init__(self, *args: Any, deadline: Callable[[], float], **named: Any) -> None:
        super().__init__(*args, **named)
        self._deadline = deadline
        self.response_class = lambda *args, **named: TimedResponse(
            *args, deadline=deadline(), **named
        )

    def _new_conn(self) -> socket.socket:
        return _connected(cast("HTTPConnection", self), self._deadline())


class TimedHttp(_Timed, HTTPConnection):  # type: ignore[misc]  # urllib3 calls it a class attribute
    """A connection that ends in time."""


class TimedHttps(_Timed, HTTPSConnection):  # type: ignore[misc]  # as above
    """The same over TLS."""

    def connect(self) -> None:
        """Connect; where the configuration allows any certificate, urllib3 need not warn."""
        super().connect()
        self.is_verified = True


class Idle:
    """Has connections closed (`close`) that were idle too long; `clock` only grows."""

    def __init__(
        self, close: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._close = close
        self._clock = clock
        self._used_at = clock()
        self._lock = Lock()

    def end(self) -> None:
        """To be called before each use, from any thread."""
        with self._lock:
            now = self._clock()
            if now - self._used_at > _LONGEST_IDLE:
                self._close()
            self._used_at = now


def is_loopback(address: str) -> bool:
    """Tell whether a URL, or a `host[:port]`, names this machine."""
    try:
        host = urlsplit(address if "//" in address else f"//{address}").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def limit(pool: Any, deadline: Callable[[], float]) -> Any:
    """Let the connections of a pool have this deadline; return the pool."""
    kind = TimedHttps if pool.scheme == "https" else TimedHttp
    pool.ConnectionCls = partial(kind, deadline=deadline)
    return pool


def look_up(host: str, port: int, deadline: float) -> Addresses:
    """Return the addresses of a host, as `getaddrinfo` gives them.

    Raises `TimeoutError` at the deadline: `getaddrinfo` can't be interrupted, so it runs in a
    thread that is left behind. A second look-up of the same name waits for that thread.
    """
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
    with _lock:
        if (answer := _running.get((host, port))) is None:
            answer = _running[host, port] = Future()
            Thread(target=_ask_name_server, args=(host, port, answer), daemon=True).start()
    return answer.result(max(0.0, deadline - time.monotonic()))


_lock = Lock()
_running: dict[tuple[str, int], Future[Addresses]] = {}


def _ask_name_server(host: str, port: int, answer: Future[Addresses]) -> None:
    try:
        found = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
        done = partial(answer.set_result, found)
    except Exception as error:  # noqa: BLE001  those who wait get it
        done = partial(answer.set_exception, error)
    with _lock:
        del _running[host, port]
    done()


def _connected(connection: HTTPConnection, deadline: float) -> socket.socket:
    """Return a socket to one of the host's addresses; raise what urllib3 raises where it can't."""
    seconds = connection.timeout if isinstance(connection.timeout, int | float) else math.inf
    until = min(deadline, time.monotonic() + seconds)
    host = connection._dns_host.strip("[]")  # noqa: SLF001  as urllib3 does
    try:
        addresses = look_up(host, connection.port or connection.default_port, until)
    except TimeoutError as error:
        raise NameServerTimeoutError(connection, "no answer of the name server") from error
    except (OSError, UnicodeError) as error:
        reason = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
        raise NameResolutionError(connection.host, connection, reason) from error
    try:
        made = _first_that_listens(addresses, connection.socket_options or (), until)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, "no connection in time") from error
    except OSError as error:
        raise NewConnectionError(connection, f"no connection: {error}") from error
    made.settimeout(min(seconds, _left(deadline)))
    return made


def _first_that_listens(
    addresses: Addresses, options: Iterable[tuple[Any, ...]], deadline: float
) -> socket.socket:
    failure = OSError("it has no address")
    for family, kind, protocol, _, address in addresses:
        made = socket.socket(family, kind, protocol)
        try:
            for option in options:
                made.setsockopt(*option)
            made.settimeout(_left(deadline))
            made.connect(address)
        except OSError as error:
            made.close()
            failure = error
        else:
            return made
    raise failure


def _left(deadline: float) -> float:
    """Return the seconds until then; 0 would mean that a socket does not wait at all."""
    return max(0.001, deadline - time.monotonic())
