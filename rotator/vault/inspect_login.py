"""Checks a Vault server and the login to it, up to the token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rotator.config.vault_auth import AgentAuthSettings, ApproleAuthSettings, TokenAuthSettings
from rotator.inspection import TIMEOUTS, failure, ok, warning
from rotator.observe.times import duration_text, relative
from rotator.vault.connection import Connection, Server
from rotator.vault.login import is_wrapping_token, secret_input, unwrap_hint
from rotator.vault.patience import Patience
from rotator.vault.session import VaultSession
from rotator.vault.shared_login import SharedLogin

if TYPE_CHECKING:
    from datetime import datetime

    import requests

    from rotator.config.sources import VaultSourceSettings
    from rotator.config.targets import VaultKvTargetSettings
    from rotator.core.model import Secret
    from rotator.core.ports import Clock
    from rotator.inspection import Case, Finding
    from rotator.vault.login import Token

    Settings = VaultSourceSettings | VaultKvTargetSettings

_OK = 200
_DOWN = frozenset({501, 503})
_SERVER_FAULT = 500
_NEW_TOKEN = "vault token create -period=24h -policy=NAME"  # noqa: S105  a command

# A token that is renewed in time never has less of its life left than this share.
_LATE = 0.25


class CheckSession(VaultSession):
    """A login for the length of one check: it logs in once, renews nothing, and ends its token."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        login = SharedLogin(Server.of(settings), clock, TIMEOUTS)
        super().__init__(settings, login, Patience(0))

    def open(self) -> None:
        """Log in, the first time."""
        if not self.number:
            super().open()

    def end(self) -> None:
        """End the token that the login made, and with it all that was leased."""
        if self.number and not self.login.is_given:
            self.ask(lambda vault: vault.auth.token.revoke_self(), (400, 403))


def readiness(settings: Settings) -> Finding:
    """Return whether the server answers and is unsealed.

    https://developer.hashicorp.com/vault/api-docs/system/health
    """
    server = Server.of(settings).name
    connection = Connection(Server.of(settings), TIMEOUTS)
    try:
        answer = connection.send(_health, "cannot ask how it is")
        is_json = "json" in answer.response.headers.get("Content-Type", "")
        if answer.status >= _SERVER_FAULT and not is_json:
            raise answer.error()
        has_state = answer.response.ok or answer.status in _DOWN
        state = answer.document if has_state else {}
    finally:
        connection.close()
    if state.get("initialized") is False:
        return failure(f"{server} is not initialized", "vault operator init")
    if state.get("sealed"):
        return failure(f"{server} is sealed", "unseal the server: vault operator unseal")
    version = f" ({state['version']})" if "version" in state else ""
    return ok(f"{server}{version} answers and is unsealed" if state else f"{server} answers")


def why_not_log_in(settings: Settings, case: Case) -> Finding | None:
    """Return why no login is tried; None where a login uses nothing up, or may."""
    given = secret_input(Server.of(settings))
    if given is None or not isinstance(settings.auth, ApproleAuthSettings | TokenAuthSettings):
        return None
    secret = given.read()
    if _is_wrapped(settings, secret):
        return failure(
            f"{given.file or f'${given.env}'} holds a wrapping token, good for one use, not the "
            "secret itself; it was not touched",
            unwrap_hint(given),
        )
    if isinstance(settings.auth, TokenAuthSettings) or case.consume:
        return None
    what = "not logged in: a secret id can be good for a number of logins"
    if case.works_lately(settings.name):
        return ok(f"{what}; the last fetch worked")
    return warning(what, "to log in once and check the rest: rotator check --consume")


def token(session: CheckSession, mine: Token, settings: Settings, case: Case) -> Finding:
    """Return what the login token is worth."""
    if isinstance(settings.auth, AgentAuthSettings):
        return ok("the Agent or Proxy at `address` logs in")
    if not session.login.is_given:
        life = f"; its token lasts {duration_text(mine.ttl)}" if mine.ttl else ""
        return ok(f"the login with {settings.auth.method} works{life}")
    if mine.policies is None:
        return warning(
            "the token works but may not look at itself, so its end is not known",
            'give it the policy "default", or: path "auth/token/lookup-self" '
            '{ capabilities = ["read"] }',
        )
    if mine.uses and not case.consume:
        return warning(
            f"the token has {mine.uses} uses left, of which this check took one and no more",
            f"give rotator one without `num_uses` ({_NEW_TOKEN}); to go on: "
            "rotator check --consume",
        )
    if "root" in mine.policies:
        return warning("it is the root token, which may do everything", _NEW_TOKEN)
    return _end(mine, case.clock())


def _end(mine: Token, now: datetime) -> Finding:
    end, life = mine.expires_at, mine.ttl
    if end is None or life is None:
        return ok("the token works and never ends")
    ends = f"the token works and ends {relative(end, now)}"
    if not mine.renewable:
        return warning(
            f"{ends}; {'a batch token' if mine.batch else 'it'} can't be renewed, and after that "
            "nothing can be fetched",
            f"write another one there before: {_NEW_TOKEN}",
        )
    if end - now < life * _LATE:
        return warning(
            f"{ends}, though it lasts {duration_text(life)}: nobody renews it, or it nears its "
            "last end",
            f"see that the daemon runs (rotator status), or write another one: {_NEW_TOKEN}",
        )
    if mine.periodic:
        return ok(f"{ends}; it is periodic: rotator renews it without end")
    return ok(f"{ends}; rotator renews it until its last end, which a periodic token has not")


def _health(vault: Any) -> requests.Response:
    response: requests.Response = vault.sys.read_health_status(
        standby_ok=True, performance_standby_code=_OK, method="GET"
    )
    return response


def _is_wrapped(settings: Settings, secret: Secret) -> bool:
    server = Server.of(settings)
    connection = Connection(server, TIMEOUTS)
    try:
        return is_wrapping_token(connection, secret, server.namespace)
    finally:
        connection.close()
