"""The connection to a Vault server: TLS, client certificate, namespaces, timeouts, secrets."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

import hvac
import requests
from msgspec import Struct

from rotator.config.places import UNIX
from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Secret
from rotator.http.session import BoundedAdapter
from rotator.vault.errors import UnsafeRedirectError, failed, no_vault, refused
from rotator.vault.reply import json_object
from rotator.vault.unix_socket import ORIGIN, UnixAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rotator.config.sources import VaultSourceSettings
    from rotator.config.targets import VaultKvTargetSettings
    from rotator.config.vault_auth import Auth
    from rotator.core.errors import DriverError

    VaultSettings = VaultSourceSettings | VaultKvTargetSettings

Timeouts = tuple[float, float]

TIMEOUTS: Timeouts = (5.0, 15.0)
"""Seconds for connecting, and for each wait for the server's next bytes."""

_INDEX_LASTS = 60.0


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
        return cls(
            settings.address,
            settings.auth,
            settings.auth.namespace or settings.namespace,
            settings.ca_file,
            settings.client_cert_file,
            settings.client_key_file,
            settings.tls_server_name,
        )

    @property
    def name(self) -> str:
        """The server and the login's namespace, as they may be shown."""
        return server_name(self.address, self.namespace)


class Connection:
    """Sends requests to one server, and lets no secret out but in them. For several threads.

    hvac's own calls are not used: they raise by status alone, without the headers and the body that
    show a proxy's page as what it is, know one namespace a client, and repeat what was sent.

    Proxies are taken from the environment (`HTTPS_PROXY`, `NO_PROXY`). Certificate files are read
    when it is made; raises `PermanentError` (unreadable) where one can't be used.
    """

    def __init__(self, server: Server, timeouts: Timeouts = TIMEOUTS) -> None:
        session = _Session()
        session.verify = str(server.ca_file) if server.ca_file else True
        most = 2 * timeouts[1]
        url = server.address
        session.mount("http://", BoundedAdapter(most))
        if url.startswith(UNIX):
            session.mount("http://", UnixAdapter(url.removeprefix(UNIX), most))
            url = ORIGIN
        if url.lower().startswith("https:"):
            session.mount("https://", _TlsAdapter(_context(server), server.tls_server_name, most))
        else:  # reading the system's authorities takes a tenth of a short run
            session.mount("https://", BoundedAdapter(most))
        # hvac takes what is None from VAULT_TOKEN and the like, which no configuration names.
        self._client = hvac.Client(
            url=url,
            token="",
            cert=(),
            verify=session.verify,
            timeout=timeouts,
            session=session,
            adapter=hvac.adapters.RawAdapter,
        )
        self._address = server.address
        self._secrets: set[str] = set()
        self._index: tuple[str, float] = ("", 0.0)

    def hide(self, secrets: Iterable[Secret]) -> None:
        """Blot these out, too, where the server repeats them."""
        self._secrets |= {secret.reveal() for secret in secrets}

    def send(
        self,
        what: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str | int] | None = None,
        *,
        namespace: str | None = None,
        token: Secret | None = None,
    ) -> requests.Response:
        """Send one request and return the answer, whatever its status; `path` has no `v1/`.

        Values of type `Secret` in `body` are sent as their text. `what` begins the error's
        sentence. Raises what the table of failures in `errors` says.
        """
        headers = self._headers(namespace, token)
        try:
            response: requests.Response = self._client.adapter.request(
                method,
                f"v1/{quote(path)}",
                headers=headers,
                json=None if body is None else self._revealed(body),
                params=params,
                raise_exception=False,
            )
        except Exception as error:  # noqa: BLE001  `failed` raises again what it does not know
            failure = failed(error, f"{what} at {server_name(self._address, namespace)}")
        else:
            if index := response.headers.get("X-Vault-Index"):
                self._index = (index, time.monotonic())
            return response
        # Raised out here, so that the library's error does not come along as its context: it may
        # hold a proxy's login or a header's value.
        raise failure

    def refusal(
        self, response: requests.Response, what: str, policy: str = "", namespace: str | None = None
    ) -> DriverError:
        """Return the error for an answer that is no success."""
        what = f"{what} at {server_name(self._address, namespace)}"
        return refused(response, what, policy, self._secrets.copy())

    def document(
        self, response: requests.Response, what: str, namespace: str | None = None
    ) -> Mapping[str, Any]:
        """Return the JSON object in an answer, empty where it has no body.

        Raises `PermanentError` (malformed) where something else sent the answer.
        """
        if not response.content:
            return {}
        document = json_object(response)
        if document is None:
            raise no_vault(f"{what} at {server_name(self._address, namespace)}")
        return document

    def close(self) -> None:
        """Close its sockets."""
        self._client.adapter.close()

    def _headers(self, namespace: str | None, token: Secret | None) -> dict[str, str]:
        headers = {}
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        if token:
            headers["X-Vault-Token"] = self._revealed(token)
        index, since = self._index
        if index and time.monotonic() - since < _INDEX_LASTS:
            # A standby that has not got as far passes the request on, or answers 412. An old index
            # is not sent: a cluster that was restored from a backup would never get there.
            headers["X-Vault-Index"] = index
            headers["X-Vault-Inconsistent"] = "forward-active-node"
        return headers

    def _revealed(self, value: Any) -> Any:
        """Return what is sent; remember the secrets in it, as the server may repeat them."""
        if isinstance(value, Mapping):
            return {key: self._revealed(each) for key, each in value.items()}
        if isinstance(value, Secret):
            text = value.reveal()
            self._secrets.add(text)
            return text
        return value


def server_name(address: str, namespace: str | None) -> str:
    """Return server and namespace as they may be shown: without user and password."""
    parts = urlsplit(address)
    name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return f"{name} (namespace {namespace})" if namespace else name


class _Session(requests.Session):
    """Follows redirects, as a standby sends to the active node, but never from TLS to plain HTTP.

    `requests` would take the token along: it only knows the header `Authorization`.
    """

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


class _TlsAdapter(BoundedAdapter):
    """Uses one TLS context for every connection, also through a proxy."""

    def __init__(self, context: ssl.SSLContext, name: str | None, seconds: float) -> None:
        self._options: dict[str, Any] = {"ssl_context": context}
        if name:
            self._options["server_hostname"] = name
        super().__init__(seconds)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **{**options, **self._options})

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, **options, **self._options)


def _context(server: Server) -> ssl.SSLContext:
    file = server.ca_file
    try:
        context = ssl.create_default_context(cafile=str(file) if file else None)
        file = server.client_cert_file
        if file:
            context.load_cert_chain(file, server.client_key_file, password=_no_passphrase)
    except (OSError, ValueError) as error:
        why = "not a PEM file with what it should hold"
        if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.strerror:
            why = error.strerror
        raise PermanentError(
            Reason.UNREADABLE,
            f"cannot use the certificate file {file}: {why}",
            f"look at it: openssl x509 -noout -subject -enddate -in {file}",
        ) from None
    return context


def _no_passphrase() -> str:
    # Without this OpenSSL would ask on the terminal.
    raise ValueError("the key has a passphrase")
