"""Checks a Vault server and the login to it, up to the token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.checks.case import TIMEOUTS
from rotator.config.vault_auth import AgentAuthSettings, ApproleAuthSettings, TokenAuthSettings
from rotator.observe.times import duration_text, relative
from rotator.vault.connection import Connection, Server
from rotator.vault.login import is_wrapping_token, secret_input, unwrap_hint
from rotator.vault.patience import Patience
from rotator.vault.session import VaultSession
from rotator.vault.shared_login import SharedLogin

if TYPE_CHECKING:
    from datetime import datetime

    import requests

    from rotator.checks.case import Case
    from rotator.checks.finding import Findings
    from rotator.config.sources import VaultSourceSettings
    from rotator.config.targets import VaultKvTargetSettings
    from rotator.core.model import Secret
    from rotator.core.ports import Clock
    from rotator.vault.login import Token

    Settings = VaultSourceSettings | VaultKvTargetSettings

_ANY_STATE = {"standbyok": "true", "perfstandbyok": "true"}
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
            self.ask("POST", "auth/token/revoke-self", accept=(400, 403))


def server_is_ready(settings: Settings, findings: Findings) -> bool:
    """Say whether the server answers and is unsealed.

    https://developer.hashicorp.com/vault/api-docs/system/health
    """
    what, server = "cannot ask how it is", Server.of(settings).name
    connection = Connection(Server.of(settings), TIMEOUTS)
    try:
        response = connection.send(what, "GET", "sys/health", params=_ANY_STATE)
        if response.status_code >= _SERVER_FAULT and not _is_json(response):
            raise connection.refusal(response, what)
        has_state = response.ok or response.status_code in _DOWN
        state = connection.document(response, what) if has_state else {}
    finally:
        connection.close()
    if state.get("initialized") is False:
        findings.failure(f"{server} is not initialized", "vault operator init")
    elif state.get("sealed"):
        findings.failure(f"{server} is sealed", "unseal the server: vault operator unseal")
    else:
        version = f" ({state['version']})" if "version" in state else ""
        findings.ok(f"{server}{version} answers and is unsealed" if state else f"{server} answers")
        return True
    return False


def may_log_in(settings: Settings, case: Case, findings: Findings) -> bool:
    """Return whether a login uses nothing up, or may; say so where it is not tried."""
    given = secret_input(Server.of(settings))
    if given is None or not isinstance(settings.auth, ApproleAuthSettings | TokenAuthSettings):
        return True
    secret = given.read()
    if _is_wrapped(settings, secret):
        findings.failure(
            f"{given.file or f'${given.env}'} holds a wrapping token, good for one use, not the "
            "secret itself; it was not touched",
            unwrap_hint(given),
        )
        return False
    if isinstance(settings.auth, TokenAuthSettings) or case.consume:
        return True
    what = "not logged in: a secret id can be good for a number of logins"
    if case.works_lately(settings.name):
        findings.ok(f"{what}; the last fetch worked")
    else:
        findings.warning(what, "to log in once and check the rest: rotator check --consume")
    return False


def token(session: CheckSession, settings: Settings, case: Case, findings: Findings) -> bool:
    """Say what the login token is worth; return whether it may be used further."""
    mine, now = session.token, case.clock()
    method = settings.auth.method
    if mine is None:
        return False
    if isinstance(settings.auth, AgentAuthSettings):
        findings.ok("the Agent or Proxy at `address` logs in")
        return True
    if not session.login.is_given:
        life = f"; its token lasts {duration_text(mine.ttl)}" if mine.ttl else ""
        findings.ok(f"the login with {method} works{life}")
        return True
    if mine.policies is None:
        findings.warning(
            "the token works but may not look at itself, so its end is not known",
            'give it the policy "default", or: path "auth/token/lookup-self" '
            '{ capabilities = ["read"] }',
        )
    elif mine.uses and not case.consume:
        findings.warning(
            f"the token has {mine.uses} uses left, of which this check took one and no more",
            f"give rotator one without `num_uses` ({_NEW_TOKEN}); to go on: "
            "rotator check --consume",
        )
        return False
    elif "root" in mine.policies:
        findings.warning("it is the root token, which may do everything", _NEW_TOKEN)
    else:
        _end(mine, now, findings)
    return True


def _end(mine: Token, now: datetime, findings: Findings) -> None:
    end, life = mine.expires_at, mine.ttl
    if end is None or life is None:
        findings.ok("the token works and never ends")
        return
    ends = f"the token works and ends {relative(end, now)}"
    if not mine.renewable:
        findings.warning(
            f"{ends}; {'a batch token' if mine.batch else 'it'} can't be renewed, and after that "
            "nothing can be fetched",
            f"write another one there before: {_NEW_TOKEN}",
        )
    elif end - now < life * _LATE:
        findings.warning(
            f"{ends}, though it lasts {duration_text(life)}: nobody renews it, or it nears its "
            "last end",
            f"see that the daemon runs (rotator status), or write another one: {_NEW_TOKEN}",
        )
    elif mine.periodic:
        findings.ok(f"{ends}; it is periodic: rotator renews it for ever")
    else:
        findings.ok(f"{ends}; rotator renews it until its last end, which a periodic token has not")


def _is_json(response: requests.Response) -> bool:
    return "json" in response.headers.get("Content-Type", "")


def _is_wrapped(settings: Settings, secret: Secret) -> bool:
    server = Server.of(settings)
    connection = Connection(server, TIMEOUTS)
    try:
        return is_wrapping_token(connection, secret, server.namespace)
    finally:
        connection.close()
