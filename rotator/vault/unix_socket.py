"""HTTP over a Unix socket, as a Vault Agent or Proxy listens on one.

https://developer.hashicorp.com/vault/docs/agent-and-proxy/agent#listener-stanza
"""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING, Any

from rotator.http.session import BoundedAdapter

if TYPE_CHECKING:
    import requests

ORIGIN = "http://localhost"
"""What requests over the socket are for: the socket says where, the name is never resolved."""


class UnixAdapter(BoundedAdapter):
    """Connects to the socket at `path`, whatever host a request names and whatever the proxies."""

    def __init__(self, path: str, seconds: float) -> None:
        self._path = path
        super().__init__(seconds)

    def get_connection_with_tls_context(self, *args: Any, **named: Any) -> Any:
        """Return the pool, whose connections lead to the socket."""
        pool = super().get_connection_with_tls_context(*args, **named)
        pool.ConnectionCls = partial(_connection, self._path, pool.ConnectionCls)
        return pool

    def send(self, request: requests.PreparedRequest, *args: Any, **named: Any) -> Any:
        """Send a request without a proxy."""
        return super().send(request, *args, **{**named, "proxies": None})


def _connection(path: str, kind: Any, *args: Any, **named: Any) -> Any:
    connection = kind(*args, **named)
    # urllib3 connects in this method alone, and offers no other way to another kind of socket.
    connection._new_conn = partial(_connect, path, connection)  # noqa: SLF001
    return connection


def _connect(path: str, connection: Any) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.settimeout(connection.timeout)
        made.connect(path)
    except BaseException:
        made.close()
        raise
    return made
