"""A Vault server as it is configured, and the HTTP session that leads to it.

The session has the TLS settings and client certificate, follows redirects, and connects to an
Agent's or Proxy's Unix socket.
"""

from __future__ import annotations

import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
from msgspec import Struct

from rotator.config.places import UNIX
from rotator.config.sources import VaultSourceSettings
from rotator.config.targets import VaultKvTargetSettings
from rotator.core.errors import PermanentError, Reason
from rotator.http.session import BoundedAdapter
from rotator.system.input_file import refuse_special
from rotator.vault.errors import UnsafeRedirectError

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.config.vault_auth import Auth

VaultSettings = VaultSourceSettings | VaultKvTargetSettings

_SOCKET = "http://localhost"  # what requests over a Unix socket are for; it is never resolved


class Server(Struct, frozen=True):
    """What two sources or targets must have in common to share a login: where, and how."""

    address: str
    auth: Auth
    namespace: str | None
    ca_file: Path | None
    client_cert_file: Path | None
    client_key_file: Path | None
    tls_server_name: str | None

    @classmethod
    def of(cls, settings: VaultSettings) -> Server:
        """Return what the settings of a source or target say; `namespace` is the login's."""
        fields = {name: getattr(settings, name) for name in cls.__struct_fields__}
        return cls(**{**fields, "namespace": settings.auth.namespace or settings.namespace})

    @property
    def name(self) -> str:
        """The server and the login's namespace, as they may be shown."""
        return server_name(self.address, self.namespace)


def server_name(address: str, namespace: str | None) -> str:
    """Return server and namespace as they may be shown: without user and password."""
    parts = urlsplit(address)
    name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return f"{name} (namespace {namespace})" if namespace else name


def session_to(server: Server, seconds: float) -> tuple[requests.Session, str]:
    """Return a session whose answers take `seconds` at most, and the URL to ask with it.

    Certificate files are read now; raises `PermanentError` (unreadable) where one can't be used.
    """
    session = _Session()
    session.verify = str(server.ca_file) if server.ca_file else True
    url, plain, secure = server.address, BoundedAdapter(seconds), BoundedAdapter(seconds)
    if url.startswith(UNIX):
        url, plain = _SOCKET, _UnixAdapter(url.removeprefix(UNIX), seconds)
    # Reading the system's authorities takes a tenth of a short run: only where they count.
    if url.lower().startswith("https:"):
        secure = BoundedAdapter(seconds, trust=_context(server), name=server.tls_server_name)
    session.mount("http://", plain)
    session.mount("https://", secure)
    return session, url


class _Session(requests.Session):
    """Follows redirects, as standbys send, but never with a token from TLS to plain HTTP."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where a redirect leads; raise `InvalidURL` where that is nowhere."""
        target = super().get_redirect_target(resp)
        try:
            urlsplit(urljoin(resp.url, target or ""))
        except ValueError:
            raise requests.exceptions.InvalidURL(response=resp) from None
        return target

    def rebuild_method(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Refuse what is not safe; else as `requests` does."""
        if response.url.startswith("https:") and str(prepared_request.url).startswith("http:"):
            raise UnsafeRedirectError(request=prepared_request)
        super().rebuild_method(prepared_request, response)


def _context(server: Server) -> ssl.SSLContext:
    file = server.ca_file
    try:
        refuse_special(file)
        context = ssl.create_default_context(cafile=str(file) if file else None)
        file = server.client_cert_file
        if file:
            refuse_special(file, server.client_key_file)
            # An empty passphrase, as OpenSSL would ask for one on the terminal.
            context.load_cert_chain(file, server.client_key_file, password="")
    except (OSError, ValueError) as error:
        why: str | None = "not a PEM file with what it should hold"
        if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
            why, file = error.strerror, error.filename or file
        raise PermanentError(
            Reason.UNREADABLE,
            f"cannot use the certificate file {file}: {why}",
            f"look at it: openssl x509 -noout -subject -enddate -in {file}",
        ) from None
    return context


class _UnixAdapter(BoundedAdapter):
    """Connects to an Agent's or Proxy's socket, whatever host a request names."""

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
