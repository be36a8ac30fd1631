"""What the record holds of the credentials: their lives, verdicts, and which are pending.

Each function takes a record and returns a new one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core import schedule
from rotator.core.record import KnownCredential, PendingCredential, Record
from rotator.core.schedule import is_ahead

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from rotator.core.candidate import Candidate
    from rotator.core.model import Credential
    from rotator.core.rotation import At, Rotation

_MOST_CREDENTIALS = 5
"""How many credentials of a registry are remembered, beside those with a lease."""


def with_known(
    record: Record,
    rotation: Rotation,
    candidates: Iterable[Candidate],
    renewed: Collection[str],
    at: At,
) -> Record:
    """Note the credentials that are about to be published, or wait to be proven.

    A crash between a write and the end of the cycle must not make our own entry look foreign.
    `renewed`: the registries whose sources gave the credential in this cycle.
    """
    for one in candidates:
        if one.end_known:
            known = _with_newest(record, rotation, one, at, renewed=one.registry in renewed)
            record = replace(record, credentials={**record.credentials, one.registry: known})
    return record


def with_verdicts(record: Record, candidates: Iterable[Candidate]) -> Record:
    """Note the registries' verdicts on credentials that are known."""
    credentials = dict(record.credentials)
    for one in candidates:
        credentials[one.registry] = tuple(
            replace(known, verdict=one.verdict)
            if known.fingerprint == one.fingerprint and one.verdict
            else known
            for known in credentials.get(one.registry, ())
        )
    return replace(record, credentials={r: known for r, known in credentials.items() if known})


def with_pending(
    record: Record, candidates: Iterable[Candidate], now: datetime, forced: Collection[str]
) -> Record:
    """Note the fetched credentials that their registries do not know yet, and since when.

    `forced`: the sources that were asked by force, or are configured in another way since.
    """
    pending = dict(record.pending)
    for one in candidates:
        past = pending.get(one.registry)
        is_past = past is not None and past.fingerprint == one.fingerprint
        if past is not None and is_past:
            if one.rejected:
                pending[one.registry] = replace(past, tries=past.tries + 1)
            else:
                del pending[one.registry]
        elif one.pending and one.rejected:
            pending[one.registry] = PendingCredential(
                one.fingerprint, now, forced=one.source in forced
            )
    return replace(record, pending=pending)


def _with_newest(
    record: Record, rotation: Rotation, one: Candidate, at: At, *, renewed: bool
) -> tuple[KnownCredential, ...]:
    """Return what is known of a registry's credentials, with this one as the newest."""
    credential = one.credential
    known = record.known(one.registry, one.fingerprint)
    ahead = known is not None and is_ahead(known.issued_at, credential.issued_at)
    if known is None or ahead or known.expires_at != credential.expires_at:
        known = _known(record, rotation, one, at)
    elif renewed and known.renew_at is not None and known.renew_at <= at.now:
        known = replace(known, renew_at=_renew_at(credential, rotation, at, wide=False, given=True))
    known = replace(known, verdict=one.verdict, claim=one.claim)
    past = record.credentials.get(one.registry, ())
    others = [other for other in past if other.fingerprint != one.fingerprint]
    # A lease is remembered until it is retired: nobody else can end it.
    leased = [other for other in others[_MOST_CREDENTIALS - 1 :] if other.lease is not None]
    return (known, *others[: _MOST_CREDENTIALS - 1], *leased)


def _known(record: Record, rotation: Rotation, one: Candidate, at: At) -> KnownCredential:
    """Return what the journal holds of a credential that is new, or has another end than before."""
    credential = one.credential
    if one.foreign:
        renew_at = _renew_found_at(one, record, rotation, at)
    else:
        # This cycle's attempt counts as a failure until it ends: a second one was before it.
        failure = record.source(one.source).failure
        failing = failure is not None and failure.count > 1
        wide = failing or not record.credentials.get(one.registry)
        renew_at = _renew_at(credential, rotation, at, wide=wide, given=one.fetched)
    return KnownCredential(
        fingerprint=one.fingerprint,
        source=one.source,
        issued_at=credential.issued_at,
        expires_at=credential.expires_at,
        renew_at=renew_at,
        lease=credential.lease,
        foreign=one.foreign,
    )


def _renew_found_at(one: Candidate, record: Record, rotation: Rotation, at: At) -> datetime | None:
    """Return when a credential that was found published is renewed: as if we had fetched it.

    We assume that its life was the longest of its source. Where no life is known yet, it is renewed
    while it is still job-safe, as our source may give one that lasts longer.
    """
    end, plan = one.credential.expires_at, rotation.schedule
    if end is None:
        return None
    longest = record.source(one.source).longest_life
    if longest is None:
        renew_at = schedule.renew_at(at.now, end, plan, wide=False, u=at.random())
        return max(min(renew_at, end - plan.reserve), at.now)
    began = min(end - timedelta(seconds=longest), at.now)
    return max(schedule.renew_at(began, end, plan, wide=False, u=at.random()), at.now)


def _renew_at(
    credential: Credential, rotation: Rotation, at: At, *, wide: bool, given: bool
) -> datetime | None:
    """Return when a credential of ours is renewed; `given`: its source gave it just now."""
    if credential.expires_at is None:
        return None
    u = at.random()
    renew_at = schedule.renew_at(
        credential.issued_at, credential.expires_at, rotation.schedule, wide=wide, u=u
    )
    if renew_at > at.now or not given:
        return renew_at
    # Its life began long ago, or its source gives the same again: what is left of it counts.
    return schedule.renew_at(at.now, credential.expires_at, rotation.schedule, wide=wide, u=u)
