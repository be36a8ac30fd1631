"""What becomes of leases whose credentials nothing needs any more: retired, then revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core.record import Record, Retired
from rotator.core.report import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from rotator.core.facts import Moment
    from rotator.core.model import Lease
    from rotator.core.ports import Each
    from rotator.core.rotation import InHand, Rotation

# Seconds after which a call that hangs is given up. Drivers have shorter timeouts of their own.
REVOKE = 20.0


def retire(
    record: Record,
    rotation: Rotation,
    hand: Mapping[str, InHand],
    everywhere: frozenset[str],
    at: Moment,
) -> Record:
    """Note the leases whose credentials were replaced in every target: they may end later.

    `everywhere`: the registries whose credential in hand is in every target that wants it.
    """
    default = rotation.schedule.longest_job
    after = {
        source.name: default if source.revoke_after is None else source.revoke_after
        for source in rotation.sources
    }
    # A clock that went back must not make a wait longer.
    retired = [
        replace(r, revoke_at=min(r.revoke_at, at.now + after.get(r.source, default)))
        for r in record.retired
        if r.lease.expires_at > at.now
    ]
    credentials = dict(record.credentials)
    replaced: dict[str, tuple[str, Lease]] = {}
    for registry in everywhere & hand.keys():
        kept = []
        for known in credentials.get(registry, ()):
            if known.fingerprint != hand[registry].fingerprint and known.lease is not None:
                replaced[known.lease.id] = (known.source, known.lease)
                known = replace(known, lease=None)  # noqa: PLW2901  the same, without its lease
            kept.append(known)
        credentials[registry] = tuple(kept)
    # One lease can be for several registries, and one of them may still need it.
    needed = {k.lease.id for known in credentials.values() for k in known if k.lease is not None}
    for source, lease in (replaced[name] for name in replaced.keys() - needed):
        retired.append(Retired(source, lease, at.now + after.get(source, default)))
    return replace(record, credentials=credentials, retired=tuple(retired))


def discard(
    record: Record, unwanted: Iterable[InHand], hand: Mapping[str, InHand], at: Moment
) -> Record:
    """Note the leases of credentials that were fetched and are not published: they end now."""
    needed = {mine.credential.lease.id for mine in hand.values() if mine.credential.lease}
    leases = {
        mine.credential.lease.id: Retired(mine.source, mine.credential.lease, at.now)
        for mine in unwanted
        if mine.credential.lease is not None and mine.credential.lease.id not in needed
    }
    return replace(record, retired=(*record.retired, *leases.values()))


def end(
    record: Record, rotation: Rotation, others: Collection[Retired], each: Each, at: Moment
) -> tuple[Record, tuple[str, ...]]:
    """Return the record after a try to end the leases whose time has come, except `others`.

    And a note for each that lives on; it is tried again only where waiting helps.
    """
    sources = {source.name: source for source in rotation.sources}
    ready = [
        one
        for one in record.retired
        if one.revoke_at <= at.now and one.source in sources and one not in others
    ]
    notes = []
    answers = each(lambda one: sources[one.source].revoke(one.lease), ready, REVOKE)
    for one, answer in zip(ready, answers, strict=True):
        left = tuple(other for other in record.retired if other != one)
        if isinstance(answer, Exception):
            problem = Problem.of(answer)
            notes.append(f"a replaced lease of {one.source} lives on: {problem.detail}")
            if not problem.permanent:
                left += (replace(one, revoke_at=at.now + rotation.schedule.poll),)
        record = replace(record, retired=left)
    return record, tuple(notes)
