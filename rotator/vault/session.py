"""What one source or target does with a login at a Vault server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from rotator.core.errors import PermanentError, Reason
from rotator.vault.connection import TIMEOUTS, Answer, Ask, Timeouts
from rotator.vault.errors import token_is_bad
from rotator.vault.patience import Patience
from rotator.vault.server import VaultSettings, server_name
from rotator.vault.shared_login import Granted, SharedLogin, shared_login

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from rotator.core.ports import Clock
    from rotator.vault.mounts import Mounts

# Seconds for which quotas and standbys are waited for: a fetch has a minute, a read 20 seconds.
FETCH_PATIENCE, TARGET_PATIENCE = 30.0, 12.0

# A standby may not know a token yet that was just made on the active node.
_NEW_TOKEN_SECONDS = 2.0
_AGENT_TOKEN = "the token is the Agent's or Proxy's own: api_proxy { use_auto_auth_token = true }"  # noqa: S105  a hint


class VaultSession:
    """Sends one thread's requests with a shared login, in the namespace of one secret."""

    def __init__(self, settings: VaultSettings, login: SharedLogin, patience: Patience) -> None:
        self.server = server_name(settings.address, settings.namespace)
        self.login = login
        self._namespace = settings.namespace
        self._patience = patience
        self._granted: Granted | None = None
        self._is_fresh = False
        self._token_is_bad = False

    @property
    def number(self) -> int:
        """The number of the login in use; its leases end with it."""
        return self._granted.number if self._granted else 0

    @property
    def mounts(self) -> Mounts:
        """What is known of the mounts in the secret's namespace."""
        return self.login.mounts_in(self._namespace)

    def open(self) -> None:
        """Make sure that there is a token that lasts; call it before each piece of work."""
        before = self.number
        self._patience.begin()
        self._granted = self.login.open(self._patience, self)
        self._is_fresh = self.number != before

    def call(self, ask: Ask, accept: Collection[int] = ()) -> Answer:
        """As `ask`, but a refusal leads to one fresh login in each piece of work."""
        try:
            return self.ask(ask, accept)
        except PermanentError as error:
            if error.reason is not Reason.FORBIDDEN or self._is_fresh or self._granted is None:
                raise
            self._is_fresh = True
            newer = self.login.again(
                self._granted, self._patience, self, token_is_bad=self._token_is_bad
            )
            if newer is None:
                raise
        self._granted = newer
        return self.ask(ask, accept)

    def ask(self, ask: Ask, accept: Collection[int] = ()) -> Answer:
        """Send one request; `accept`: statuses that are an answer too. Raises what `errors` has."""
        granted = cast("Granted", self._granted)  # open() comes first
        token = granted.token.text

        def is_early(answer: Answer) -> bool:
            is_new = time.monotonic() - granted.at < _NEW_TOKEN_SECONDS
            return is_new and not self.login.is_given and token_is_bad(answer.response)

        answer = self._patience.answer(
            lambda: granted.connection.send(ask, namespace=self._namespace, token=token), is_early
        )
        if answer.response.ok or answer.status in accept:
            _ = answer.document  # raises where something else sent it
            return answer
        self._token_is_bad = token_is_bad(answer.response)
        error = answer.error()
        if error.reason is Reason.FORBIDDEN and token is None:
            error.hint += f"; {_AGENT_TOKEN}"
        raise error


def open_session(
    settings: VaultSettings, clock: Clock, patience: float, timeouts: Timeouts = TIMEOUTS
) -> VaultSession:
    """Return a session that shares its login and waits `patience` seconds; nobody is asked yet."""
    return VaultSession(settings, shared_login(settings, clock, timeouts), Patience(patience))


class WithLogin:
    """What a source or target says of the login that its session shares."""

    _session: VaultSession

    @property
    def token_expires_at(self) -> datetime | None:
        """When the login token ends; None where it has no known end, or there is none yet."""
        token = self._session.login.token
        return token.expires_at if token else None

    def login_stamp(self) -> str:
        """Return what changes when the secret that logs in changes, or how it is configured."""
        return self._session.login.login_stamp()
