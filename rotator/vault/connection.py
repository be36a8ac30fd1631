"""The connection to a Vault server: its requests and answers, and the secrets in them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import hvac
import requests

from rotator.core.errors import DriverError, PermanentError, Reason
from rotator.core.model import Secret
from rotator.http.reading import json_in, object_in
from rotator.system.each import note_answer
from rotator.vault.errors import failed, policy_line, refused
from rotator.vault.server import Server, server_name, session_to

Timeouts = tuple[float, float]

TIMEOUTS: Timeouts = (5.0, 15.0)  # seconds to connect, and for each wait for the next bytes
_INDEX_LASTS = 60.0  # seconds: a server that was restored never reaches an old index


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
        self._session, self._url = session_to(server, 2 * timeouts[1])
        self._address = server.address
        self._timeouts = timeouts
        self._secrets: set[str] = set()
        self._index: tuple[str, float] = ("", 0.0)

    def hide(self, secrets: Iterable[Secret]) -> None:
        """Hide these secrets, too, where the server repeats them."""
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
            note_answer()
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
        """Return what keeps a standby from answering that does not have our last write yet."""
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
