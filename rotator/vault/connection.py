"""The connection to a Vault server: TLS, client certificate, namespaces, timeouts, secrets."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

import hvac
import requests
from msgspec import Struct

from rotator.config.places import UNIX
from rotator.config.sources import VaultSourceSettings
from rotator.config.targets import VaultKvTargetSettings
from rotator.core.errors import DriverError, PermanentError, Reason
from rotator.core.model import Secret
from rotator.http.reading import json_in, object_in
from rotator.http.session import BoundedAdapter
from rotator.vault.errors import UnsafeRedirectError, failed, policy_line, refused

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.config.vault_auth import Auth

VaultSettings = VaultSourceSettings | VaultKvTargetSettings
Timeouts = tuple[float, float]

TIMEOUTS: Timeouts = (5.0, 15.0)  # seconds to connect, and for each wait for the next bytes
_INDEX_LASTS = 60.0
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


@dataclass(frozen=True)
class Answer:
    """A server's answer, and what was asked of it.

    `what` begins an error's sentence ("cannot read secret/data/x at https://vault:8200"); `method`
    and `path` say which policy allows it. `hidden` are secrets that the server may repeat.
    """

    response: requests.Response
    what: str
    method: str
    path: str
    hidden: frozenset[str] = field(repr=False)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status_code

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The JSON object in it, empty without a body; raises `PermanentError` (malformed)."""
        document = json_in(self.response.content) if self.response.content else {}
        if not isinstance(document, dict):
            raise PermanentError(
                Reason.MALFORMED,
                f"{self.what}: the answer is not Vault's",
                "set `address` to Vault itself, not to a proxy's or a login page",
            )
        return document

    @property
    def data(self) -> Mapping[str, Any]:
        """What was asked for; empty where there is none."""
        return object_in(self.document.get("data"))

    def error(self) -> DriverError:
        """Return the error for an answer that is no success."""
        return refused(self.response, self.what, policy_line(self.method, self.path), self.hidden)


Ask = Callable[[Any], requests.Response]
"""Makes one request with the methods of an `hvac.Client`."""


class Connection:
    """Sends requests to one server, and lets no secret out but in them. For several threads.

    Requests are made with hvac's methods. They return each answer as it came, as hvac's own errors
    have neither the headers nor a proxy's page.

    Proxies are taken from the environment (`HTTPS_PROXY`, `NO_PROXY`). Certificate files are read
    when it is made; raises `PermanentError` (unreadable) where one can't be used.
    """

    def __init__(self, server: Server, timeouts: Timeouts = TIMEOUTS) -> None:
        self._session = session = _Session()
        session.verify = str(server.ca_file) if server.ca_file else True
        most = 2 * timeouts[1]
        self._url = self._address = server.address
        plain = BoundedAdapter(most)
        if server.address.startswith(UNIX):
            plain = _UnixAdapter(server.address.removeprefix(UNIX), most)
            self._url = _SOCKET
        session.mount("http://", plain)
        # Reading the system's authorities takes a tenth of a short run: only where they count.
        secure = BoundedAdapter(most)
        if server.address.lower().startswith("https:"):
            secure = BoundedAdapter(most, trust=_context(server), name=server.tls_server_name)
        session.mount("https://", secure)
        self._timeouts = timeouts
        self._secrets: set[str] = set()
        self._index: tuple[str, float] = ("", 0.0)

    def hide(self, secrets: Iterable[Secret]) -> None:
        """Blot these out, too, where the server repeats them."""
        self._secrets |= {secret.reveal() for secret in secrets}

    def send(
        self,
        ask: Ask,
        what: str = "cannot {does} {path}",
        namespace: str | None = None,
        token: Secret | None = None,
    ) -> Answer:
        """Send one request and return the answer, whatever its status.

        Values of type `Secret` in its body are sent as their text. `what` begins the error's
        sentence, and may name `{path}`. Raises what the table of failures in `errors` says.
        """
        # A client knows one token and one namespace, and is made in 35 µs. What is None hvac takes
        # from VAULT_TOKEN and the like, which no configuration names.
        client = hvac.Client(
            self._url,
            self._revealed(token) if token else "",
            cert=(),
            verify=self._session.verify,
            timeout=self._timeouts,
            session=self._session,
            adapter=_Adapter,
            namespace=namespace or "",
        )
        adapter: _Adapter = client.adapter
        adapter.reveal, adapter.extra = self._revealed, self._position()
        outcome: requests.Response | Exception
        try:
            outcome = ask(client)
        except Exception as error:  # noqa: BLE001  `failed` raises again what it does not know
            outcome = error
        does = "read" if adapter.method == "GET" else "write"
        what = what.replace("{does}", does).replace("{path}", adapter.path)
        what = f"{what} at {server_name(self._address, namespace)}"
        if isinstance(outcome, requests.Response):
            if index := outcome.headers.get("X-Vault-Index"):
                self._index = (index, time.monotonic())
            return Answer(outcome, what, adapter.method, adapter.path, frozenset(self._secrets))
        # Raised out here, so that the library's error does not come along as its context: it may
        # hold a proxy's login or a header's value.
        raise failed(outcome, what)

    def close(self) -> None:
        """Close its sockets."""
        self._session.close()

    def _position(self) -> dict[str, str]:
        """Return how far a standby must be to answer: a restored one never gets to an old index."""
        index, since = self._index
        if index and time.monotonic() - since < _INDEX_LASTS:
            return {"X-Vault-Index": index, "X-Vault-Inconsistent": "forward-active-node"}
        return {}

    def _revealed(self, value: Any) -> Any:
        """Return what is sent; remember the secrets in it, as the server may repeat them."""
        if isinstance(value, Mapping):
            return {key: self._revealed(each) for key, each in value.items()}
        if isinstance(value, Secret):
            text = value.reveal()
            self._secrets.add(text)
            return text
        return value


class _Adapter(hvac.adapters.RawAdapter):  # type: ignore[misc]  # published without type information
    """Sends what hvac's methods ask for, and remembers what that was; raises for no status."""

    method = path = ""
    reveal: Callable[[Any], Any]
    extra: Mapping[str, str] = {}

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send a request; `url` is quoted and has no address yet."""
        self.method, self.path = method.upper(), unquote(url.strip("/").removeprefix("v1/"))
        if "json" in options:
            options["json"] = self.reveal(options["json"])
        options |= {"headers": dict(self.extra), "raise_exception": False}
        response: requests.Response = super().request(self.method, url, **options)
        return response


def server_name(address: str, namespace: str | None) -> str:
    """Return server and namespace as they may be shown: without user and password."""
    parts = urlsplit(address)
    name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return f"{name} (namespace {namespace})" if namespace else name


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
        context = ssl.create_default_context(cafile=str(file) if file else None)
        file = server.client_cert_file
        if file:
            # An empty passphrase, as OpenSSL would ask for one on the terminal.
            context.load_cert_chain(file, server.client_key_file, password="")
    except (OSError, ValueError) as error:
        why: str | None = "not a PEM file with what it should hold"
        if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
            why = error.strerror
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
