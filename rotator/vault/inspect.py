"""What the inspections of the source `vault` and the target `vault_kv` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.core.errors import DriverError
from rotator.inspection import Level, failure, warning
from rotator.vault.engines import find_engine
from rotator.vault.errors import FORBIDDEN, policy_line
from rotator.vault.inspect_login import CheckSession, readiness, token, why_not_log_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rotator.inspection import Case, Finding, Found
    from rotator.vault.connection import VaultSettings
    from rotator.vault.engines import Engine

_NEEDED = {"GET": {"read"}, "POST": {"update"}}


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
    try:
        session.open()
        if mine := session.login.token:
            yield token(session, mine, settings, case)
            if case.consume or not (mine.uses and session.login.is_given):
                yield from then(session, find_engine(session, settings.path, settings.engine))
    finally:
        try:
            session.end()
        except DriverError as error:
            yield warning(
                f"the check's own login could not be ended: {error.detail}",
                "nothing to do: it ends by itself",
            )


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
    """Ask the server; a login that may not even ask is taken at its word when it tries.

    https://developer.hashicorp.com/vault/api-docs/system/capabilities-self
    """
    reply = session.ask(lambda vault: vault.sys.get_capabilities([path]), (FORBIDDEN,))
    if reply.status == FORBIDDEN:
        return True
    able = set(reply.data.get(path) or ())
    return "root" in able or _NEEDED[method] <= able
