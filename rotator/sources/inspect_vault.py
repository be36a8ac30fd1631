"""Inspects the source `vault`: logs in, asks what the login may do, and reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.core.errors import DriverError
from rotator.inspection import Case, Finding, Found, Given, ok, warning
from rotator.observe.times import relative
from rotator.sources.vault import VaultSource
from rotator.vault.inspect import CheckSession, lacking, logged_in, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.config.sources import VaultSourceSettings
    from rotator.core.model import Lease
    from rotator.vault.engines import Engine

_REVOKE, _RENEW = "sys/leases/revoke", "sys/leases/renew"


def inspect(settings: VaultSourceSettings, case: Case) -> Iterator[Found]:
    """Read a stored secret; make a credential only with `--consume`, and end it again."""
    return logged_in(
        settings, case, lambda session, engine: _secret(session, engine, settings, case)
    )


def _secret(
    session: CheckSession, engine: Engine, settings: VaultSourceSettings, case: Case
) -> Iterator[Found]:
    dynamic = engine.kind == "dynamic"
    method = "POST" if dynamic and settings.method == "write" else "GET"
    if found := refused(session, (method, engine.read_path)):
        yield from found
        return
    source = VaultSource(settings, case.clock, session)
    if not dynamic:
        credentials = source.fetch(())
        yield ok(f"{engine.read_path} can be read ({engine.kind})")
        yield Given(credentials)
        return
    yield from lacking(session, _REVOKE, "a credential that was replaced is not ended early")
    yield from lacking(
        session, _RENEW, "a credential is replaced where its lease could be lengthened"
    )
    if case.consume:
        credentials = source.fetch(())
        yield ok(f"{engine.path} makes a credential")
        yield Given(credentials)
        for lease in {each.lease for each in credentials if each.lease is not None}:
            yield _ended(source, lease, session, case)
    elif case.works_lately(settings.name):
        yield ok(f"{engine.path} was not read, as that makes a credential; the last fetch worked")
    else:
        yield warning(
            f"{engine.path} was not read, as that makes a credential",
            "to make one, show it to its registry and end it: rotator check --consume",
        )


def _ended(source: VaultSource, lease: Lease, session: CheckSession, case: Case) -> Finding:
    try:
        source.revoke(lease)
    except DriverError as error:
        if not session.login.is_given:
            return ok("the credential that this check made ends with the check's login")
        return warning(
            f"the credential that this check made is still there, and ends "
            f"{relative(lease.expires_at, case.clock())}: {error.detail}",
            f"vault lease revoke {lease.id}",
        )
    return ok("the credential that this check made was ended again")
