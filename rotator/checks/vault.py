"""Checks Vault, as the source `vault` and the target `vault_kv` use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.checks import registry
from rotator.checks.vault_login import CheckSession, may_log_in, server_is_ready, token
from rotator.config.targets import VaultKvTargetSettings
from rotator.core.errors import DriverError
from rotator.observe.times import relative
from rotator.sources.vault import VaultSource
from rotator.targets.vault_kv import VaultKvTarget
from rotator.vault.engines import Engine, find_engine
from rotator.vault.errors import FORBIDDEN, policy_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rotator.checks.case import Case
    from rotator.checks.finding import Findings
    from rotator.config.sources import VaultSourceSettings
    from rotator.core.model import Lease

_REVOKE, _RENEW = "sys/leases/revoke", "sys/leases/renew"
_NEEDED = {"GET": {"read"}, "POST": {"update"}}


def check(
    settings: VaultSourceSettings | VaultKvTargetSettings, case: Case, findings: Findings
) -> None:
    """Ask whether it is up, log in, ask what the login may do, and read."""
    if not server_is_ready(settings, findings) or not may_log_in(settings, case, findings):
        return
    session = CheckSession(settings, case.clock)
    try:
        session.open()
        if token(session, settings, case, findings):
            engine = find_engine(session, settings.path, settings.engine)
            if isinstance(settings, VaultKvTargetSettings):
                _target(session, engine, settings, case, findings)
            else:
                _source(session, engine, settings, case, findings)
    finally:
        try:
            session.end()
        except DriverError as error:
            findings.warning(
                f"the check's own login could not be ended: {error.detail}",
                "nothing to do: it ends by itself",
            )


def _source(
    session: CheckSession,
    engine: Engine,
    settings: VaultSourceSettings,
    case: Case,
    findings: Findings,
) -> None:
    dynamic = engine.kind == "dynamic"
    method = "POST" if dynamic and settings.method == "write" else "GET"
    if not _may(session, [(method, engine.read_path)], findings):
        return
    if not dynamic:
        source = VaultSource(settings, case.clock, session)
        credentials = source.fetch(())
        findings.ok(f"{engine.read_path} can be read ({engine.kind})")
        registry.given(credentials, case, findings)
        return
    _could(session, _REVOKE, "a credential that was replaced is not ended early", findings)
    _could(
        session, _RENEW, "a credential is replaced where its lease could be lengthened", findings
    )
    if case.consume:
        _make_and_end(session, engine, settings, case, findings)
    elif case.works_lately(settings.name):
        findings.ok(
            f"{engine.path} was not read, as that makes a credential; the last fetch worked"
        )
    else:
        findings.warning(
            f"{engine.path} was not read, as that makes a credential",
            "to make one, show it to its registry and end it: rotator check --consume",
        )


def _make_and_end(
    session: CheckSession,
    engine: Engine,
    settings: VaultSourceSettings,
    case: Case,
    findings: Findings,
) -> None:
    source = VaultSource(settings, case.clock, session)
    credentials = source.fetch(())
    try:
        findings.ok(f"{engine.path} makes a credential")
        registry.given(credentials, case, findings)
    finally:
        for lease in {each.lease for each in credentials if each.lease is not None}:
            _end(source, lease, session, case, findings)


def _end(
    source: VaultSource, lease: Lease, session: CheckSession, case: Case, findings: Findings
) -> None:
    try:
        source.revoke(lease)
    except DriverError as error:
        if not session.login.is_given:
            findings.ok("the credential that this check made ends with the check's login")
            return
        findings.warning(
            f"the credential that this check made is still there, and ends "
            f"{relative(lease.expires_at, case.clock())}: {error.detail}",
            f"vault lease revoke {lease.id}",
        )
    else:
        findings.ok("the credential that this check made was ended again")


def _target(
    session: CheckSession,
    engine: Engine,
    settings: VaultKvTargetSettings,
    case: Case,
    findings: Findings,
) -> None:
    target = VaultKvTarget(settings, settings.policy(), session)
    path = engine.read_path
    if not _may(session, [("GET", path), ("POST", path)], findings):
        return
    held = target.read()
    findings.ok(f"{path} can be read and written ({engine.kind})")
    if settings.keep_versions is not None and engine.kind == "kv2":
        destroy = f"{engine.mount}/destroy/{engine.rest}"
        _could(session, destroy, "old versions are not destroyed (`keep_versions`)", findings)
    registry.published(settings, held, case, findings)


def _may(session: CheckSession, wanted: Iterable[tuple[str, str]], findings: Findings) -> bool:
    """Return whether the login may do all of this; say what it may not."""
    refused = [(method, path) for method, path in wanted if not _allowed(session, method, path)]
    for method, path in refused:
        findings.failure(
            f"the login may not {'read' if method == 'GET' else 'write'} {path} at "
            f"{session.server}",
            f"a policy of the login must have: {policy_line(method, path)}",
        )
    return not refused


def _could(session: CheckSession, path: str, otherwise: str, findings: Findings) -> None:
    if not _allowed(session, "POST", path):
        findings.warning(
            f"the login may not use {path}: {otherwise}",
            f"a policy of the login should have: {policy_line('POST', path)}",
        )


def _allowed(session: CheckSession, method: str, path: str) -> bool:
    """Ask the server; a login that may not even ask is taken at its word when it tries.

    https://developer.hashicorp.com/vault/api-docs/system/capabilities-self
    """
    body = {"paths": [path]}
    reply = session.ask("POST", "sys/capabilities-self", body=body, accept=(FORBIDDEN,))
    if reply.status == FORBIDDEN:
        return True
    able = set(reply.data.get(path) or ())
    return "root" in able or _NEEDED[method] <= able
