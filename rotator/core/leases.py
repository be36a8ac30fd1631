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
    from rotator.core.in_use import InUse
    from rotator.core.model import Lease
    from rotator.core.ports import Each
    from rotator.core.rotation import At, Rotation

# Seconds after which a call that hangs is given up. Drivers have shorter timeouts of their own.
REVOKE_SECONDS = 20.0


def end_unneeded(
    record: Record,
    before: Record,
    rotation: Rotation,
    in_use: InUse,
    *,
    unwanted: Iterable[Candidate],
    needed: Collection[Candidate],
    dry_run: bool,
    each: Each,
    at: At,
) -> tuple[Record, list[str]]:
    """Retire and revoke leases; return the record after it, and a note for each that lives on.

    `before`: the record before the cycle. `unwanted`: what was fetched and is not published.
    `needed`: what is chosen, and what waits to be proven.
    """
    if not dry_run:
        current = {one.fingerprint for one in needed if not one.rejected} | in_use.published
        record = retire(record, rotation, in_use, current, at)
    sure_at = in_use.sure_at
    if sure_at is not None:
        later = [replace(one, revoke_at=max(one.revoke_at, sure_at)) for one in record.retired]
        record = replace(record, retired=tuple(later))
    record = discard(record, unwanted, needed, at)
    # A dry run can't note what it revokes: it leaves alone what earlier cycles retired.
    left_alone = before.retired if dry_run else ()
    return end(record, rotation, left_alone, each, at)


def retire(
    record: Record, rotation: Rotation, in_use: InUse, current: Collection[str], at: At
) -> Record:
    """Note the leases whose credentials were replaced in every target: they end after a wait.

    Running jobs may still use them. `current`: the fingerprints of the credentials that something
    still needs. The wait of a lease that was retired before begins again while some target holds
    its credential.
    """
    default = rotation.schedule.longest_job
    waits = {
        source.name: default if source.revoke_after is None else source.revoke_after
        for source in rotation.sources
    }
    held = {*current, *in_use.held_until_now}
    unsure_since = record.started_at if in_use.others_wrote else None
    retired = [
        _waiting(one, waits.get(one.source, default), held, unsure_since, rotation, at)
        for one in record.retired
        if one.lease.expires_at > at.now
    ]
    credentials = dict(record.credentials)
    released: dict[str, tuple[str, Lease]] = {}
    fingerprints: dict[str, list[str]] = {}
    for registry in in_use.replaced:
        remaining = []
        for known in credentials.get(registry, ()):
            if known.fingerprint not in current and known.lease is not None:
                released[known.lease.id] = (known.source, known.lease)
                fingerprints.setdefault(known.lease.id, []).append(known.fingerprint)
                known = replace(known, lease=None)  # noqa: PLW2901  the same, without its lease
            remaining.append(known)
        credentials[registry] = tuple(remaining)
    # One lease can be for several registries, and one of them may still need it.
    needed = {k.lease.id for known in credentials.values() for k in known if k.lease is not None}
    retired = [one for one in retired if one.lease.id not in released]
    for source, lease in (released[lease_id] for lease_id in released.keys() - needed):
        end_at = at.now + waits.get(source, default)
        retired.append(RetiredLease(source, lease, end_at, tuple(fingerprints[lease.id]), at.now))
    return replace(record, credentials=credentials, retired=tuple(retired))


def _waiting(
    one: RetiredLease,
    wait: timedelta,
    held: Collection[str],
    unsure_since: datetime | None,
    rotation: Rotation,
    at: At,
) -> RetiredLease:
    """Return a retired lease with the time when it is revoked.

    The wait begins again as long as its credential is used: its registry accepts it again, or some
    target still holds it, or holds it again. A longer wait after a reload also counts for a lease
    that waits already, as the longer jobs may run already. A clock that went back makes no wait
    longer.

    `unsure_since`: when the cycle before began, if somebody else wrote a target since. Whoever did
    may have put a credential back that was replaced in or after that cycle, and taken it out.
    """
    if any(fingerprint in held for fingerprint in one.fingerprints):
        return replace(one, revoke_at=at.now + wait, since=at.now)
    since = None if one.since is None else min(one.since, at.now)
    planned = one.revoke_at if since is None else max(one.revoke_at, since + wait)
    if since is not None and unsure_since is not None and since >= unsure_since:
        planned = at.now + wait
    return replace(one, revoke_at=min(planned, at.now + max(wait, rotation.settle)), since=since)


def retire_pending(
    record: Record,
    candidates: Iterable[Candidate],
    used: Collection[str],
    rotation: Rotation,
    now: datetime,
) -> Record:
    """Note the leases of credentials that are pending since this cycle: they end after `settle`.

    They are noted at once: a crash loses the credential, and nobody else could end its lease. A
    lease is needed, and not retired any more, where one of its credentials is `used` and not
    rejected.
    """
    candidates = tuple(candidates)
    needed = {
        one.credential.lease.id
        for one in candidates
        if one.credential.lease is not None and one.fingerprint in used and not one.rejected
    }
    retired = [one for one in record.retired if one.lease.id not in needed]
    for one in candidates:
        past, lease = record.pending.get(one.registry), one.credential.lease
        is_new = past is None or past.fingerprint != one.fingerprint
        if not (is_new and one.pending and one.rejected):
            continue
        if lease is not None and lease.id not in needed:
            end_at = now + rotation.settle
            retired.append(RetiredLease(one.source, lease, end_at, (one.fingerprint,)))
    return replace(record, retired=tuple(retired))


def discard(
    record: Record, unwanted: Iterable[Candidate], needed: Iterable[Candidate], at: At
) -> Record:
    """Note the leases of credentials that were fetched and are not published: they end at once.

    No job uses them. A lease is left out that something needs, or that ends now anyway.
    """
    left_out = {one.credential.lease.id for one in needed if one.credential.lease}
    left_out |= {retired.lease.id for retired in record.retired if retired.revoke_at <= at.now}
    leases = {
        one.credential.lease.id: RetiredLease(
            one.source, one.credential.lease, at.now, (one.fingerprint,)
        )
        for one in unwanted
        if one.credential.lease is not None and one.credential.lease.id not in left_out
    }
    return replace(record, retired=(*record.retired, *leases.values()))


def end(
    record: Record, rotation: Rotation, left_alone: Collection[RetiredLease], each: Each, at: At
) -> tuple[Record, list[str]]:
    """Revoke the retired leases whose `revoke_at` has come, except those that are left alone.

    Return the record after it, and a note for each lease that could not be revoked. It is tried
    again after a poll, where waiting helps.
    """
    sources = {source.name: source for source in rotation.sources}
    ready = [
        one
        for one in record.retired
        if one.revoke_at <= at.now and one.source in sources and one not in left_alone
    ]
    notes = []
    answers = each(lambda one: sources[one.source].revoke(one.lease), ready, REVOKE_SECONDS)
    for one, answer in zip(ready, answers, strict=True):
        left = tuple(other for other in record.retired if other != one)
        if isinstance(answer, Exception):
            failure = Failure.of(answer)
            notes.append(f"a replaced lease of {one.source} lives on: {failure.detail}")
            if not failure.permanent:
                left += (replace(one, revoke_at=at.now + rotation.schedule.poll),)
        record = replace(record, retired=left)
    return record, notes
