"""The connection to a Vault server: TLS, client certificate, namespace, timeouts, secrets."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

import hvac
import requests

from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Secret
from rotator.http.session import BoundedAdapter
from rotator.vault.answers import UnsafeRedirectError, failed, json_object, no_vault, refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rotator.config.sources import VaultSourceSettings
    from rotator.config.targets import VaultKvTargetSettings
    from rotator.core.errors import DriverError

    VaultSettings = VaultSourceSettings | VaultKvTargetSettings

Timeouts = tuple[float, float]

TIMEOUTS: Timeouts = (5.0, 15.0)
"""Seconds for connecting, and for each wait for the server's next bytes."""


class Connection:
    """Sends requests to one server, and lets no secret out but in them.

    Proxies are taken from the environment (`HTTPS_PROXY`, `NO_PROXY`). Certificate files are read
    when it is made; raises `PermanentError` (unreadable) where one can't be used.
    """

    def __init__(self, settings: VaultSettings, timeouts: Timeouts = TIMEOUTS) -> None:
        session = _Session()
        session.verify = str(settings.ca_file) if settings.ca_file else True
        most = 2 * timeouts[1]
        session.mount("http://", BoundedAdapter(most))
        if settings.address.lower().startswith("https:"):
            tls = _TlsAdapter(_context(settings), settings.tls_server_name, most)
            session.mount("https://", tls)
        else:  # reading the system's authorities takes a tenth of a short run
            session.mount("https://", BoundedAdapter(most))
        # hvac takes what is None from VAULT_TOKEN and the like, which no configuration names.
        self._client = hvac.Client(
            url=settings.address,
            token="",
            cert=(),
            verify=session.verify,
            timeout=timeouts,
            session=session,
            namespace=settings.namespace,
            adapter=hvac.adapters.RawAdapter,
        )
        self.server = server_name(settings)
        self._sent: set[str] = set()

    def hide(self, secrets: Iterable[Secret]) -> None:
        """Blot these out, too, where the server repeats them."""
        self._sent |= {secret.reveal() for secret in secrets}

    def use(self, token: Secret) -> None:
        """Send this token with every request from now on."""
        self._client.token = self._revealed(token)

    def send(
        self,
        what: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> requests.Response:
        """Send one request and return the answer, whatever its status; `path` has no `v1/`.

        Values of type `Secret` in `body` are sent as their text. `what` begins the error's
        sentence. Raises what the table of failures in `answers` says.
        """
        try:
            response: requests.Response = self._client.adapter.request(
                method,
                f"v1/{quote(path)}",
                json=None if body is None else self._revealed(body),
                params=params,
                raise_exception=False,
            )
        except Exception as error:  # noqa: BLE001  `failed` raises again what it does not know
            problem = failed(error, f"{what} at {self.server}")
        else:
            return response
        # Raised out here, so that the library's error does not come along as its context: it may
        # hold a proxy's login or a header's value.
        raise problem

    def refusal(self, response: requests.Response, what: str, policy: str = "") -> DriverError:
        """Return the error for an answer that is no success."""
        return refused(response, f"{what} at {self.server}", policy, self._sent)

    def document(self, response: requests.Response, what: str) -> Mapping[str, Any]:
        """Return the JSON object in an answer, empty where it has no body.

        Raises `PermanentError` (malformed) where something else answered.
        """
        if not response.content:
            return {}
        document = json_object(response)
        if document is None:
            raise no_vault(f"{what} at {self.server}")
        return document

    def close(self) -> None:
        """Close its sockets."""
        self._client.adapter.close()

    def _revealed(self, value: Any) -> Any:
        """Return what is sent; remember the secrets in it, as the server may repeat them."""
        if isinstance(value, Mapping):
            return {key: self._revealed(each) for key, each in value.items()}
        if isinstance(value, Secret):
            text = value.reveal()
            self._sent.add(text)
            return text
        return value


def server_name(settings: VaultSettings) -> str:
    """Return server and namespace as they may be shown: without user and password."""
    parts = urlsplit(settings.address)
    name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return f"{name} (namespace {settings.namespace})" if settings.namespace else name


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


def _context(settings: VaultSettings) -> ssl.SSLContext:
    file = settings.ca_file
    try:
        context = ssl.create_default_context(cafile=str(file) if file else None)
        file = settings.client_cert_file
        if file:
            context.load_cert_chain(file, settings.client_key_file, password=_no_passphrase)
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
