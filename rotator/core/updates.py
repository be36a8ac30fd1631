"""How a cycle changes the record: before the fetch, before the first write, and at its end.

Each function takes a record and returns a new one. `now` and `random` are the cycle's own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rotator.core import schedule
from rotator.core.candidate import DEAD, FOREVER, Candidate
from rotator.core.errors import Reason
from rotator.core.failure import Failure
from rotator.core.record import (
    FailureRecord,
    KnownCredential,
    PendingCredential,
    Record,
    RetiredLease,
    SourceRecord,
    TargetRecord,
)
from rotator.core.schedule import CLOCK_STEP, ENDLESS, LOGIN_REJECTED_WAIT, Life
from rotator.core.situation import Write

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from rotator.core.fetch import Answer
    from rotator.core.model import Credential
    from rotator.core.ports import Random, Source
    from rotator.core.rotation import Rotation
    from rotator.core.write import Written

_MOST_FINGERPRINTS = 5
_UNFINISHED = Failure(
    Reason.UNAVAILABLE,
    "the last fetch did not end: rotator was stopped or crashed during it",
    "nothing to do if it was stopped; else see the log from that time",
)


class At(Struct, frozen=True):
    """The time and the random numbers that an update is made with."""

    now: datetime
    random: Random


def with_later_start(
    record: Record, rotation: Rotation, chosen: Mapping[str, Candidate], at: At
) -> Record:
    """Spread what is overdue when a daemon starts, where jobs are safe meanwhile."""
    sources, credentials = dict(record.sources), dict(record.credentials)
    for source in rotation.sources:
        past = record.source(source.name)
        life = _shortest(past, source, chosen, at.now)
        later = at.now + schedule.start_wait(rotation.schedule, life, u=at.random())
        if past.poll_at is not None and past.poll_at < later:
            sources[source.name] = replace(past, poll_at=later)
        for registry in source.registries or past.registries:
            for newest in credentials.get(registry, ())[:1]:
                if newest.renew_at is not None and newest.renew_at < later:
                    others = credentials[registry][1:]
                    credentials[registry] = (replace(newest, renew_at=later), *others)
    return replace(record, sources=sources, credentials=credentials)


def with_waits(
    record: Record,
    rotation: Rotation,
    needed: Collection[Source],
    chosen: Mapping[str, Candidate],
    at: At,
) -> Record:
    """Bring the waits after failures up to date with what is chosen now.

    A source that is not needed any more (another rotator published something fresh) has no
    failure. A wait that was set when hours of life were left is cut when they are lost.
    """
    sources = dict(record.sources)
    for source in rotation.sources:
        past = record.source(source.name)
        if past.failure is None:
            continue
        failure: FailureRecord | None = None
        if source in needed:
            failure = past.failure
            if failure.reason != Reason.LOGIN_REJECTED:
                life = _shortest(past, source, chosen, at.now)
                throttled = failure.reason == Reason.THROTTLED
                longest = schedule.longest_wait(rotation.schedule, life, throttled=throttled)
                failure = replace(failure, retry_at=min(failure.retry_at, at.now + longest))
        sources[source.name] = replace(past, failure=failure)
    return replace(record, sources=sources)


def with_attempts(
    record: Record,
    rotation: Rotation,
    due: Iterable[Source],
    chosen: Mapping[str, Candidate],
    at: At,
) -> Record:
    """Note that sources are about to be asked.

    Until the cycle ends this counts as a failure, so that a crash loop backs off instead of taking
    a lease at each restart. A login that was refused counts as refused again: a crash loop must not
    lock it. A credential that is asked for before its time stays due until the source gives it.
    """
    sources, credentials = dict(record.sources), dict(record.credentials)
    for source in due:
        past = record.source(source.name)
        life = _shortest(past, source, chosen, at.now)
        failure = _next_failure(past.failure, _UNFINISHED, rotation, life, at)
        if past.failure is not None and past.failure.reason == Reason.LOGIN_REJECTED:
            stamp = past.failure.login_stamp
            if stamp == source.login_stamp():
                failure = login_refused(past.failure, stamp, at)
        sources[source.name] = replace(past, attempted_at=at.now, failure=failure)
        for registry in source.registries or past.registries:
            credentials[registry] = tuple(
                replace(known, renew_at=min(known.renew_at, at.now)) if known.renew_at else known
                for known in record.credentials.get(registry, ())
            )
    return replace(record, sources=sources, credentials=credentials)


def with_registries(record: Record, answers: Mapping[str, Answer]) -> Record:
    """Note which registries the sources gave credentials for."""
    sources = dict(record.sources)
    for name, answer in answers.items():
        registries = tuple(sorted({login.registry for login in answer.credentials}))
        if registries:
            sources[name] = replace(record.source(name), registries=registries)
    return replace(record, sources=sources)


def with_known(
    record: Record,
    rotation: Rotation,
    candidates: Iterable[Candidate],
    given: Collection[str],
    at: At,
) -> Record:
    """Note the credentials that are about to be published, or wait to be proven.

    A crash between a write and the end of the cycle must not make our own entry look foreign.
    `given`: the registries whose source was asked and gave what is chosen.
    """
    for one in candidates:
        if one.end_known:
            known = _remembered(record, rotation, one, at, again=one.registry in given)
            record = replace(record, credentials={**record.credentials, one.registry: known})
    return record


def with_verdicts(record: Record, candidates: Iterable[Candidate]) -> Record:
    """Note the registries' verdicts on credentials that are known."""
    credentials = dict(record.credentials)
    for one in candidates:
        credentials[one.registry] = tuple(
            replace(known, verdict=one.last_verdict)
            if known.fingerprint == one.fingerprint and one.last_verdict
            else known
            for known in credentials.get(one.registry, ())
        )
    return replace(record, credentials={r: known for r, known in credentials.items() if known})


def with_pending(
    record: Record,
    rotation: Rotation,
    ours: Iterable[Candidate],
    used: Collection[str],
    now: datetime,
    *,
    forced: bool = False,
) -> Record:
    """Note the fetched credentials that their registries do not know yet, and since when.

    The lease of such a credential is retired at once, to be revoked when `settle` is over: a crash
    loses the credential, and nobody else could end its lease. It stays where a credential of it is
    accepted and one of those that are `used`, by their fingerprints. `forced`: the fetch was.
    """
    pending = dict(record.pending)
    ours = tuple(ours)
    needed = {
        one.credential.lease.id
        for one in ours
        if one.credential.lease is not None and one.fingerprint in used and not one.rejected
    }
    retired = [one for one in record.retired if one.lease.id not in needed]
    for one in ours:
        past = pending.get(one.registry)
        same = past is not None and past.fingerprint == one.fingerprint
        lease = one.credential.lease
        if not one.rejected:
            if same:
                del pending[one.registry]
        elif past is not None and same:
            pending[one.registry] = replace(past, tries=past.tries + 1)
        elif one.pending:
            pending[one.registry] = PendingCredential(one.fingerprint, now, forced=forced)
            if lease is not None and lease.id not in needed:
                end_at = now + rotation.settle
                retired.append(RetiredLease(one.source, lease, end_at, (one.fingerprint,)))
    return replace(record, pending=pending, retired=tuple(retired))


def with_documents(record: Record, planned: Mapping[str, Written]) -> Record:
    """Note the document that each target is about to get, by its fingerprint."""
    targets = dict(record.targets)
    for name, one in planned.items():
        if isinstance(one.decision, Write):
            targets[name] = with_document(record.target(name), one.decision.mark.fingerprint)
    return replace(record, targets=targets)


def with_document(past: TargetRecord, fingerprint: str) -> TargetRecord:
    """Return a target's record with this document as the newest of those that are ours."""
    if fingerprint in past.fingerprints[:1]:
        return past
    others = tuple(other for other in past.fingerprints if other != fingerprint)
    return replace(past, fingerprints=(fingerprint, *others)[:_MOST_FINGERPRINTS])


def with_sooner_end(record: Record, safe_until: datetime, now: datetime) -> Record:
    """Note until when jobs are safe, where that is sooner than it was, before the first write."""
    if record.safe_until is None or record.safe_until <= safe_until:
        return record
    end = None if safe_until == DEAD else safe_until
    return replace(record, safe_until=end, job_safe=safe_until > now)


def source_failed(
    before: SourceRecord,
    source: Source,
    failure: Failure,
    rotation: Rotation,
    chosen: Mapping[str, Candidate],
    at: At,
    stamp: str | None,
) -> SourceRecord:
    """Return a source's record after a failure; `before` is the one from before the attempt."""
    life = _shortest(before, source, chosen, at.now)
    failed = _next_failure(before.failure, failure, rotation, life, at)
    if failure.reason is Reason.LOGIN_REJECTED:
        failed = login_refused(failed, stamp, at)
    elif failure.reason is Reason.UNREADABLE:
        failed = replace(failed, login_stamp=stamp)  # it is tried at once where its file appears
    return replace(before, attempted_at=at.now, failure=failed)


def login_refused(failure: FailureRecord, stamp: str | None, at: At) -> FailureRecord:
    """Return the failure with the wait of a login secret that was refused."""
    wait = LOGIN_REJECTED_WAIT * (1 + 0.1 * at.random())
    return replace(failure, retry_at=at.now + wait, login_stamp=stamp)


def source_gave(
    source: Source, given: Collection[Credential], rotation: Rotation, at: At, *, first: bool
) -> SourceRecord:
    """Return a source's record after a fetch, perhaps the first, that gave these credentials."""
    poll = schedule.poll_at(at.now, rotation.schedule, u=at.random(), first=first)
    endless = any(login.expires_at is None for login in given)
    lives = [
        (login.expires_at - login.issued_at).total_seconds()
        for login in given
        if login.expires_at is not None
    ]
    return SourceRecord(
        registries=tuple(sorted({login.registry for login in given})),
        attempted_at=at.now,
        fetched_at=at.now,
        poll_at=poll if source.changes_early or endless else None,
        longest_life=None if endless else max(lives, default=None),
        learned=source.learned,
    )


def target_failure(
    past: TargetRecord, failure: Failure, ends: Collection[datetime], rotation: Rotation, at: At
) -> FailureRecord:
    """Return a target's next failure; `ends`: when the entries in it end."""
    end = min(ends, default=DEAD)
    life = Life(timedelta(0) if end == DEAD else min(end - at.now, ENDLESS.left))
    return _next_failure(past.failure, failure, rotation, life, at)


def _remembered(
    record: Record, rotation: Rotation, one: Candidate, at: At, *, again: bool
) -> tuple[KnownCredential, ...]:
    """Return what is known of a registry's credentials; `again`: its source gave it just now."""
    login = one.credential
    past = record.credentials.get(one.registry, ())
    known = record.known(one.registry, one.fingerprint)
    ahead = known is not None and known.issued_at > login.issued_at + CLOCK_STEP
    if known is None or ahead or known.expires_at != login.expires_at:
        # The attempt under way counts as one failure.
        failure = record.source(one.source).failure
        failing = failure is not None and failure.count > 1
        first = not one.foreign and (not past or failing)
        known = KnownCredential(
            fingerprint=one.fingerprint,
            source=one.source,
            issued_at=login.issued_at,
            expires_at=login.expires_at,
            renew_at=_renew_found_at(one, record, rotation, at)
            if one.foreign
            else _renew_at(login, rotation, at, first=first),
            lease=login.lease,
            foreign=one.foreign,
            claim=one.claim,
        )
    elif again and known.renew_at is not None and known.renew_at <= at.now:
        known = replace(known, renew_at=_renew_at(login, rotation, at, first=False))
    known = replace(known, verdict=one.last_verdict, claim=one.claim)
    others = [other for other in past if other.fingerprint != one.fingerprint]
    # A lease is remembered until it is retired: nobody else can end it.
    leased = [other for other in others[_MOST_FINGERPRINTS - 1 :] if other.lease is not None]
    return (known, *others[: _MOST_FINGERPRINTS - 1], *leased)


def _renew_found_at(one: Candidate, record: Record, rotation: Rotation, at: At) -> datetime | None:
    """Return when a credential that was found published is renewed: as if we had fetched it.

    It began a life of its source before its end. Where no life is known yet, it is renewed before
    it is no longer job-safe, as our source may give one that lasts longer.
    """
    end, plan = one.credential.expires_at, rotation.schedule
    if end is None:
        return None
    longest = record.source(one.source).longest_life
    if longest is None:
        renew_at = schedule.renew_at(at.now, end, plan, first=False, u=at.random())
        return max(min(renew_at, end - plan.longest_job - plan.poll), at.now)
    began = min(end - timedelta(seconds=longest), at.now)
    return max(schedule.renew_at(began, end, plan, first=False, u=at.random()), at.now)


def _renew_at(login: Credential, rotation: Rotation, at: At, *, first: bool) -> datetime | None:
    if login.expires_at is None:
        return None
    u = at.random()
    renew_at = schedule.renew_at(
        login.issued_at, login.expires_at, rotation.schedule, first=first, u=u
    )
    if renew_at > at.now:
        return renew_at
    # It began long ago, or its source gives the same again: the rest of its life counts.
    return schedule.renew_at(at.now, login.expires_at, rotation.schedule, first=first, u=u)


def _shortest(
    past: SourceRecord, source: Source, chosen: Mapping[str, Candidate], now: datetime
) -> Life:
    registries = source.registries or past.registries
    lives = [_life(chosen.get(registry), now) for registry in registries]
    return min(lives, key=lambda life: life.left, default=Life(timedelta(0)))


def _life(one: Candidate | None, now: datetime) -> Life:
    """Return how long a published credential still works."""
    if one is None or one.end == DEAD:
        return Life(timedelta(0))
    if one.end == FOREVER:
        return ENDLESS
    return Life(max(one.end - now, timedelta(0)), one.end - one.credential.issued_at)


def _next_failure(
    past: FailureRecord | None, failure: Failure, rotation: Rotation, life: Life, at: At
) -> FailureRecord:
    count = 1 if past is None else past.count + 1
    wait = schedule.retry_wait(
        rotation.schedule,
        life,
        failures=count,
        permanent=failure.permanent,
        retry_after=failure.retry_after,
        u=at.random(),
    )
    return FailureRecord(
        count=count,
        reason=str(failure.reason),
        detail=failure.detail,
        hint=failure.hint,
        since=at.now if past is None else min(past.since, at.now),
        retry_at=at.now + wait,
        permanent=failure.permanent,
    )
