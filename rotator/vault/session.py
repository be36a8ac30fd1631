"""A login at one Vault server, kept while it lasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rotator.config.vault_auth import AwsAuthSettings, TokenAuthSettings
from rotator.core.errors import PermanentError, Reason
from rotator.system.secret_input import aws_stamp, digest
from rotator.vault.answers import policy_line
from rotator.vault.connection import TIMEOUTS, Connection, Timeouts, server_name
from rotator.vault.login import Token, log_in, renew, secret_input

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from rotator.core.ports import Clock
    from rotator.vault.connection import VaultSettings

# A token that ends while a request is under way would be refused.
_MARGIN = timedelta(seconds=5)

# Shares of a token's life. What is leased with a token ends with it at the latest, so it is renewed
# before a lease as long as its life is: that happens at half of it by default.
_RENEW_AFTER, _REPLACE_AFTER = 0.25, 0.5


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the server: its status, and its JSON document (empty where it has no body)."""

    status: int
    document: Mapping[str, Any] = field(repr=False)

    @property
    def data(self) -> Mapping[str, Any]:
        """What was asked for; empty where there is none."""
        data = self.document.get("data")
        return data if isinstance(data, Mapping) else {}


class VaultSession:
    """Sends requests with a login token that is renewed or replaced before it ends.

    Not for two threads at once. `logins` counts the login tokens so far: what was leased with one
    dies with it.
    """

    def __init__(
        self, settings: VaultSettings, clock: Clock, timeouts: Timeouts = TIMEOUTS
    ) -> None:
        self.server = server_name(settings)
        self.logins = 0
        self._settings = settings
        self._configured = digest(repr(settings))
        self._clock = clock
        self._timeouts = timeouts
        self._connection: Connection | None = None
        self._token: Token | None = None
        self._is_given = isinstance(settings.auth, TokenAuthSettings)
        self._stamp: str | None = None
        self._fresh = False

    @property
    def token(self) -> Token | None:
        """The login token in use; None where there is none yet."""
        return self._token

    @property
    def token_expires_at(self) -> datetime | None:
        """When the login token ends; None where it has no known end, or there is none yet."""
        return self._token.expires_at if self._token else None

    def login_stamp(self) -> str:
        """Return what changes when the secret that logs in changes, or how it is configured."""
        given = secret_input(self._settings)
        if given is not None:
            return f"{self._configured} {given.stamp()}"
        aws = isinstance(self._settings.auth, AwsAuthSettings)
        return f"{self._configured} {aws_stamp()}" if aws else self._configured

    def open(self) -> None:
        """Make sure that there is a token that lasts; call it before each piece of work.

        Logs in where there is none, where it is about to end, or where another token was put into
        its file; renews it after a quarter of its life, or logs in again after half of it where it
        can't be renewed. Another secret id or JWT counts from the next login on: what was leased
        with the token would die with it. Raises `LoginRejectedError`, and whatever a request
        raises.
        """
        self._fresh = False
        token = self._token
        if token is None or self._left(token) < _MARGIN or self._is_exchanged():
            token = self._log_in()
        if self._is_past(_RENEW_AFTER, token) and self._connection is not None:
            self._token = token = renew(token, self._connection, self._clock)
        # A given token can't be replaced, and what is leased with it has the same end.
        if self._is_past(_REPLACE_AFTER, token) and not self._is_given:
            self._log_in()

    def call(self, method: str, path: str, **request: Any) -> Reply:
        """As `ask`, but a refusal leads to one fresh login in each piece of work.

        The token may have been revoked, or its role may have got the policy since it logged in.
        """
        try:
            return self.ask(method, path, **request)
        except PermanentError as error:
            if error.reason is not Reason.FORBIDDEN or self._fresh:
                raise
        self._log_in()
        return self.ask(method, path, **request)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str | int] | None = None,
        accept: Collection[int] = (),
    ) -> Reply:
        """Send one request with the login that there is; `path` has no `v1/`.

        Values of type `Secret` in `body` are sent as their text. `accept`: statuses that are an
        answer all the same. Raises what the tables in `answers` say.
        """
        if self._connection is None:
            raise RuntimeError("open() comes first")
        what = f"cannot {'read' if method == 'GET' else 'write'} {path}"
        response = self._connection.send(what, method, path, body, params)
        if response.ok or response.status_code in accept:
            return Reply(response.status_code, self._connection.document(response, what))
        raise self._connection.refusal(response, what, policy_line(method, path))

    def _log_in(self) -> Token:
        self._fresh = True
        self._token = None
        self._stamp = self.login_stamp()
        if self._connection is not None:
            self._connection.close()
        self._connection = Connection(self._settings, self._timeouts)
        self._token = log_in(self._settings, self._connection, self._clock)
        self.logins += 1
        return self._token

    def _is_exchanged(self) -> bool:
        return self._is_given and self._stamp != self.login_stamp()

    def _is_past(self, share: float, token: Token) -> bool:
        return token.ttl is not None and self._left(token) <= token.ttl * (1 - share)

    def _left(self, token: Token) -> timedelta:
        return token.expires_at - self._clock() if token.expires_at else timedelta.max
