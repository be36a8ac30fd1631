"""What the inspections of the source `vault` and the target `vault_kv` share: server and login."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from rotator.config.vault_auth import AgentAuthSettings, ApproleAuthSettings, TokenAuthSettings
from rotator.core.errors import DriverError
from rotator.inspection import (
    Afterwards,
    Case,
    Finding,
    Found,
    Level,
    failure,
    ok,
    warning,
)
from rotator.observe.times import duration_text, relative
from rotator.vault.connection import Connection
from rotator.vault.engines import Engine, find_engine
from rotator.vault.errors import FORBIDDEN, policy_line
from rotator.vault.login import Token, is_wrapping_token, secret_input, unwrap_hint
from rotator.vault.patience import Patience
from rotator.vault.server import Server, VaultSettings
from rotator.vault.session import VaultSession
from rotator.vault.shared_login import shared_login

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from rotator.core.ports import Clock

_NEEDED = {"GET": {"read"}, "POST": {"update"}}
_DOWN = frozenset({501, 503})
_SERVER_FAULT = 500
_NEW_TOKEN = "vault token create -period=24h -policy=NAME"  # noqa: S105  a command

# A token that is renewed in time never has less of its life left than this share.
_LATE = 0.25


def logged_in(
    settings: VaultSettings, case: Case, then: Callable[[CheckSession, Engine], Iterator[Found]]
) -> Iterator[Found]:
    """Ask whether the server is up, log in, and yield what `then` finds with the login."""
    ready = readiness(settings)
    yield ready
    if ready.level is Level.FAILURE:
        return
    if why_not := why_not_log_in(settings, case):
        yield why_not
        return
    session = CheckSession(settings, case.clock)
    session.open()
    yield Afterwards(session.end)
    if mine := session.login.token:
        yield token(session, mine, settings, case)
        if case.consume or not (mine.uses and session.login.is_given):
            yield from then(session, find_engine(session, settings.path, settings.engine))


def refused(session: CheckSession, *wanted: tuple[str, str]) -> list[Finding]:
    """Return what the login may not do of this: methods and paths."""
    return [
        failure(
            f"the login may not {'read' if method == 'GET' else 'write'} {path} at "
            f"{session.server}",
            f"a policy of the login must have: {policy_line(method, path)}",
        )
        for method, path in wanted
        if not _allowed(session, method, path)
    ]


def lacking(session: CheckSession, path: str, otherwise: str) -> Iterator[Finding]:
    """Yield what happens `otherwise` where the login may not use a path that it should."""
    if not _allowed(session, "POST", path):
        yield warning(
            f"the login may not use {path}: {otherwise}",
            f"a policy of the login should have: {policy_line('POST', path)}",
        )


def _allowed(session: CheckSession, method: str, path: str) -> bool:
    """Ask the server; a login that may not even ask is believed until it tries."""
    reply = session.ask(lambda vault: vault.sys.get_capabilities([path]), (FORBIDDEN,))
    if reply.status == FORBIDDEN:
        return True
    able = set(reply.data.get(path) or ())
    return "root" in able or _NEEDED[method] <= able


class CheckSession(VaultSession):
    """A login for the length of the checks that share it: it renews nothing, and its token ends."""

    def __init__(self, settings: VaultSettings, clock: Clock) -> None:
        super().__init__(settings, shared_login(settings, clock), Patience(0))

    def open(self) -> None:
        """Log in, the first time."""
        if not self.number:
            super().open()

    def end(self) -> Finding | None:
        """End the token that the login made, and with it all that was leased.

        Whoever comes second is refused, as the token has ended.
        """
        if self.login.is_given:
            return None
        try:
            self.ask(lambda vault: vault.auth.token.revoke_self(), (400, 403))
        except DriverError as error:
            return warning(
                f"the check's own login could not be ended: {error.detail}",
                "nothing to do: it ends by itself",
            )
        return None


def readiness(settings: VaultSettings) -> Finding:
    """Return whether the server answers and is unsealed."""
    server = Server.of(settings).name
    with closing(Connection(Server.of(settings))) as connection:
        answer = connection.send(
            lambda vault: vault.sys.read_health_status(
                standby_ok=True, performance_standby_code=200, method="GET"
            ),
            "cannot ask how it is",
        )
    is_json = "json" in answer.response.headers.get("Content-Type", "")
    if answer.status >= _SERVER_FAULT and not is_json:
        raise answer.error()
    state = answer.document if answer.response.ok or answer.status in _DOWN else {}
    if state.get("initialized") is False:
        return failure(f"{server} is not initialized", "vault operator init")
    if state.get("sealed"):
        return failure(f"{server} is sealed", "unseal the server: vault operator unseal")
    version = f" ({state['version']})" if "version" in state else ""
    return ok(f"{server}{version} answers and is unsealed" if state else f"{server} answers")


def why_not_log_in(settings: VaultSettings, case: Case) -> Finding | None:
    """Return why no login is tried; None where a login uses nothing up, or may."""
    given = secret_input(Server.of(settings))
    if not given or not isinstance(settings.auth, ApproleAuthSettings | TokenAuthSettings):
        return None
    secret = given.read()
    server = Server.of(settings)
    with closing(Connection(server)) as connection:
        is_wrapped = is_wrapping_token(connection, secret, server.namespace)
    if is_wrapped:
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


def token(session: CheckSession, mine: Token, settings: VaultSettings, case: Case) -> Finding:
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
