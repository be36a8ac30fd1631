"""What becomes of leases whose credentials nothing needs any more: retired, then revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core.failure import Failure
from rotator.core.record import Record, RetiredLease

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime, timedelta

    from rotator.core.candidate import Candidate
    from rotator.core.model import Lease
    from rotator.core.ports import Each
    from rotator.core.rotation import Rotation
    from rotator.core.updates import At

# Seconds after which a call that hangs is given up. Drivers have shorter timeouts of their own.
REVOKE = 20.0


def end_unneeded(
    record: Record,
    before: Record,
    rotation: Rotation,
    *,
    replaced: Collection[str],
    published: Collection[str],
    held_until_now: Collection[str],
    unwanted: Iterable[Candidate],
    needed: Collection[Candidate],
    sure_at: datetime | None,
    dry_run: bool,
    each: Each,
    at: At,
) -> tuple[Record, list[str]]:
    """Retire and revoke leases; return the record after it, and a note for each that lives on.

    `replaced`: the registries whose chosen credential is in every target. `published`: the
    fingerprints of the credentials that are in some target. `held_until_now`: of those that were in
    one when it was read, now or last. `unwanted`: what was fetched and is not published. `needed`:
    what is chosen, or waits to be proven. `sure_at`: when it will be known again what each
    target holds; one could not be read, or somebody else wrote its value. None where it is known.
    """
    if not dry_run:
        current = {one.fingerprint for one in needed if not one.rejected} | set(published)
        record = retire(record, rotation, replaced, current, held_until_now, at)
    if sure_at is not None:
        waits = [replace(one, revoke_at=max(one.revoke_at, sure_at)) for one in record.retired]
        record = replace(record, retired=tuple(waits))
    record = discard(record, unwanted, needed, at)
    # A dry run could not write down that it ended what others retired.
    others = before.retired if dry_run else ()
    return end(record, rotation, others, each, at)


def retire(
    record: Record,
    rotation: Rotation,
    replaced: Collection[str],
    current: Collection[str],
    held_until_now: Collection[str],
    at: At,
) -> Record:
    """Note the leases whose credentials were replaced in every target: they may end later.

    `replaced`: the registries whose chosen credential is in every target that wants it. `current`:
    the fingerprints of the credentials that something still needs. `held_until_now`: of those that
    something needed until now.
    """
    default = rotation.schedule.longest_job
    after = {
        source.name: default if source.revoke_after is None else source.revoke_after
        for source in rotation.sources
    }
    held = {*current, *held_until_now}
    waits = [(one, after.get(one.source, default)) for one in record.retired]
    retired = [
        replace(one, revoke_at=_revoke_at(one, wait, held, rotation, at))
        for one, wait in waits
        if one.lease.expires_at > at.now
    ]
    credentials = dict(record.credentials)
    ended: dict[str, tuple[str, Lease]] = {}
    names: dict[str, list[str]] = {}
    for registry in replaced:
        remaining = []
        for known in credentials.get(registry, ()):
            if known.fingerprint not in current and known.lease is not None:
                ended[known.lease.id] = (known.source, known.lease)
                names.setdefault(known.lease.id, []).append(known.fingerprint)
                known = replace(known, lease=None)  # noqa: PLW2901  the same, without its lease
            remaining.append(known)
        credentials[registry] = tuple(remaining)
    # One lease can be for several registries, and one of them may still need it.
    needed = {k.lease.id for known in credentials.values() for k in known if k.lease is not None}
    retired = [one for one in retired if one.lease.id not in ended]
    for source, lease in (ended[name] for name in ended.keys() - needed):
        end_at = at.now + after.get(source, default)
        retired.append(RetiredLease(source, lease, end_at, tuple(names[lease.id])))
    return replace(record, credentials=credentials, retired=tuple(retired))


def _revoke_at(
    one: RetiredLease, wait: timedelta, held: Collection[str], rotation: Rotation, at: At
) -> datetime:
    """Return when a retired lease is revoked.

    A credential of it that is used again (its registry had rejected it for a while, or somebody put
    it back) starts its wait again. A clock that went back must not make a wait longer.
    """
    if any(name in held for name in one.fingerprints):
        return at.now + wait
    return min(one.revoke_at, at.now + max(wait, rotation.settle))


def discard(
    record: Record, unwanted: Iterable[Candidate], needed: Iterable[Candidate], at: At
) -> Record:
    """Note the leases of credentials that were fetched and are not published: they end now."""
    alive = {one.credential.lease.id for one in needed if one.credential.lease}
    alive |= {retired.lease.id for retired in record.retired if retired.revoke_at <= at.now}
    leases = {
        one.credential.lease.id: RetiredLease(
            one.source, one.credential.lease, at.now, (one.fingerprint,)
        )
        for one in unwanted
        if one.credential.lease is not None and one.credential.lease.id not in alive
    }
    return replace(record, retired=(*record.retired, *leases.values()))


def end(
    record: Record, rotation: Rotation, others: Collection[RetiredLease], each: Each, at: At
) -> tuple[Record, list[str]]:
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
            failure = Failure.of(answer)
            notes.append(f"a replaced lease of {one.source} lives on: {failure.detail}")
            if not failure.permanent:
                left += (replace(one, revoke_at=at.now + rotation.schedule.poll),)
        record = replace(record, retired=left)
    return record, notes
