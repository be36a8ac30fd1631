"""How a cycle changes the record: before the fetch, before the first write, and at its end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core import schedule
from rotator.core.errors import Reason
from rotator.core.record import Known, Record, SourceRecord, TargetRecord, Trouble
from rotator.core.report import Problem
from rotator.core.rotation import DEAD, FOREVER, InHand, Rotation
from rotator.core.schedule import ENDLESS, LOGIN_REJECTED_WAIT, Life

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from rotator.core.facts import Answered, Moment
    from rotator.core.model import Credential
    from rotator.core.ports import Source

_KEPT_FINGERPRINTS = 5
_UNFINISHED = Problem(
    Reason.UNAVAILABLE,
    "the last fetch did not end: rotator was stopped or crashed during it",
    "nothing to do if it was stopped; else look at the log from that time",
)


def life_of(mine: InHand | None, now: datetime) -> Life:
    """Return how long a published credential still works, for the retry ladder."""
    if mine is None or mine.end == DEAD:
        return Life(timedelta(0))
    if mine.end == FOREVER:
        return ENDLESS
    return Life(max(mine.end - now, timedelta(0)), mine.end - mine.credential.issued_at)


def attempting(
    record: Record,
    rotation: Rotation,
    due: Iterable[Source],
    hand: Mapping[str, InHand],
    at: Moment,
) -> Record:
    """Note that sources are about to be asked.

    Until the cycle ends this counts as a failure, so that a crash loop backs off instead of taking
    a lease at each restart. What is asked for before its time stays asked for until it is answered.
    """
    sources, credentials = dict(record.sources), dict(record.credentials)
    for source in due:
        past = record.source(source.name)
        life = _shortest(past, source, hand, at)
        trouble = _trouble(past.trouble, _UNFINISHED, rotation, life, at)
        sources[source.name] = replace(past, attempted_at=at.now, trouble=trouble)
        for registry in source.registries or past.registries:
            credentials[registry] = tuple(
                replace(known, renew_at=min(known.renew_at, at.now)) if known.renew_at else known
                for known in record.credentials.get(registry, ())
            )
    return replace(record, sources=sources, credentials=credentials)


def serving(record: Record, answers: Mapping[str, Answered]) -> Record:
    """Note which registries the sources turned out to serve."""
    sources = dict(record.sources)
    for name, answer in answers.items():
        registries = tuple(sorted({login.registry for login in answer.credentials}))
        if registries:
            sources[name] = replace(record.source(name), registries=registries)
    return replace(record, sources=sources)


def waiting(
    record: Record,
    rotation: Rotation,
    needed: Collection[Source],
    hand: Mapping[str, InHand],
    at: Moment,
) -> Record:
    """Bring the waits after failures up to date with what is in hand now.

    A source that is not needed any more (another rotator published something fresh) has no trouble.
    A wait that was drawn for hours in hand is cut where these hours are lost.
    """
    sources = dict(record.sources)
    for source in rotation.sources:
        past = record.source(source.name)
        if past.trouble is None:
            continue
        trouble: Trouble | None = None
        if source in needed:
            trouble = past.trouble
            if trouble.reason != Reason.LOGIN_REJECTED:
                life = _shortest(past, source, hand, at)
                throttled = trouble.reason == Reason.THROTTLED
                longest = schedule.longest_wait(rotation.schedule, life, throttled=throttled)
                trouble = replace(trouble, retry_at=min(trouble.retry_at, at.now + longest))
        sources[source.name] = replace(past, trouble=trouble)
    return replace(record, sources=sources)


def put_off(record: Record, rotation: Rotation, hand: Mapping[str, InHand], at: Moment) -> Record:
    """Spread what is overdue at a start, where jobs are safe meanwhile."""
    sources, credentials = dict(record.sources), dict(record.credentials)
    for source in rotation.sources:
        past = record.source(source.name)
        life = _shortest(past, source, hand, at)
        later = at.now + schedule.start_wait(rotation.schedule, life, u=at.draw())
        if past.poll_at is not None and past.poll_at < later:
            sources[source.name] = replace(past, poll_at=later)
        for registry in source.registries or past.registries:
            for newest in credentials.get(registry, ())[:1]:
                if newest.renew_at is not None and newest.renew_at < later:
                    others = credentials[registry][1:]
                    credentials[registry] = (replace(newest, renew_at=later), *others)
    return replace(record, sources=sources, credentials=credentials)


def knowing(
    record: Record,
    rotation: Rotation,
    hand: Mapping[str, InHand],
    claims: Mapping[str, str],
    answered: Collection[str],
    safe_until: datetime,
    at: Moment,
) -> Record:
    """Note what is about to be published.

    `claims`: the fingerprint of the document that each target is about to get. A crash between a
    write and the end of the cycle must not make our own entry look foreign. `answered`: the
    registries whose source has been asked and is content with what is in hand. `safe_until`: until
    when jobs are safe with it; if that is sooner than it was, it is said before the first write.
    """
    credentials = dict(record.credentials)
    for registry, mine in hand.items():
        if mine.vouched:
            again = registry in answered
            credentials[registry] = _remember(record, rotation, mine, at, again=again)
    targets = dict(record.targets)
    for name, fingerprint in claims.items():
        targets[name] = claimed(record.target(name), fingerprint)
    record = replace(record, credentials=credentials, targets=targets)
    if record.safe_until is None or record.safe_until <= safe_until:
        return record
    end = None if safe_until == DEAD else safe_until
    return replace(record, safe_until=end, job_safe=safe_until > at.now)


def claimed(past: TargetRecord, fingerprint: str) -> TargetRecord:
    """Return a target's record with this document as the newest of those that are ours."""
    if fingerprint in past.fingerprints[:1]:
        return past
    others = tuple(other for other in past.fingerprints if other != fingerprint)
    return replace(past, fingerprints=(fingerprint, *others)[:_KEPT_FINGERPRINTS])


def source_failed(
    before: SourceRecord,
    source: Source,
    problem: Problem,
    rotation: Rotation,
    hand: Mapping[str, InHand],
    at: Moment,
    stamp: str | None,
) -> SourceRecord:
    """Return a source's record after a failure; `before` is the one from before the attempt."""
    life = _shortest(before, source, hand, at)
    trouble = _trouble(before.trouble, problem, rotation, life, at)
    if problem.reason is Reason.LOGIN_REJECTED:
        trouble = login_refused(trouble, stamp, at)
    return replace(before, attempted_at=at.now, trouble=trouble)


def login_refused(trouble: Trouble, stamp: str | None, at: Moment) -> Trouble:
    """Return the trouble with the wait of a login secret that was refused."""
    wait = LOGIN_REJECTED_WAIT * (1 + 0.1 * at.draw())
    return replace(trouble, retry_at=at.now + wait, login_stamp=stamp)


def source_answered(
    source: Source, given: Collection[Credential], rotation: Rotation, at: Moment
) -> SourceRecord:
    """Return a source's record after a fetch that gave these credentials."""
    poll = schedule.poll_at(at.now, rotation.schedule, u=at.draw())
    endless = any(login.expires_at is None for login in given)
    return SourceRecord(
        registries=tuple(sorted({login.registry for login in given})),
        attempted_at=at.now,
        fetched_at=at.now,
        poll_at=poll if source.changes_early or endless else None,
    )


def target_settled(
    past: TargetRecord,
    outcome: str,
    ends: Mapping[str, datetime],
    problem: Problem | None,
    rotation: Rotation,
    at: Moment,
) -> TargetRecord:
    """Return a target's record after a cycle that ended with this outcome."""
    end = min(ends.values(), default=DEAD)
    trouble = None
    if problem is not None:
        life = Life(timedelta(0) if end == DEAD else min(end - at.now, ENDLESS.left))
        trouble = _trouble(past.trouble, problem, rotation, life, at)
    return replace(
        past,
        outcome=outcome,
        written_at=at.now if outcome == "written" else past.written_at,
        end=None if end == DEAD else end,
        ends={registry: end for registry, end in ends.items() if end != DEAD},
        trouble=trouble,
    )


def _remember(
    record: Record, rotation: Rotation, mine: InHand, at: Moment, *, again: bool
) -> tuple[Known, ...]:
    """Return what is known of a registry's credentials; `again`: its source gave it just now."""
    login = mine.credential
    past = record.credentials.get(login.registry, ())
    known = record.known(login.registry, mine.fingerprint)
    if known is None or known.expires_at != login.expires_at:
        # The attempt under way counts as one failure.
        trouble = record.source(mine.source).trouble
        failing = trouble is not None and trouble.count > 1
        first = not mine.adopted and (not past or failing)
        known = Known(
            fingerprint=mine.fingerprint,
            source=mine.source,
            issued_at=login.issued_at,
            expires_at=login.expires_at,
            renew_at=_renew_at(login, rotation, at, first=first),
            lease=login.lease,
            adopted=mine.adopted,
        )
    elif again and known.renew_at is not None and known.renew_at <= at.now:
        known = replace(known, renew_at=_renew_at(login, rotation, at, first=False))
    others = [other for other in past if other.fingerprint != mine.fingerprint]
    # A lease is remembered until it is retired: nobody else can end it.
    leased = [other for other in others[_KEPT_FINGERPRINTS - 1 :] if other.lease is not None]
    return (known, *others[: _KEPT_FINGERPRINTS - 1], *leased)


def _renew_at(login: Credential, rotation: Rotation, at: Moment, *, first: bool) -> datetime | None:
    if login.expires_at is None:
        return None
    u = at.draw()
    drawn = schedule.renew_at(
        login.issued_at, login.expires_at, rotation.schedule, first=first, u=u
    )
    if drawn > at.now:
        return drawn
    # It began long ago, or its source gives the same again: the rest of its life counts.
    return schedule.renew_at(at.now, login.expires_at, rotation.schedule, first=first, u=u)


def _shortest(past: SourceRecord, source: Source, hand: Mapping[str, InHand], at: Moment) -> Life:
    registries = source.registries or past.registries
    lives = [life_of(hand.get(registry), at.now) for registry in registries]
    return min(lives, key=lambda life: life.left, default=Life(timedelta(0)))


def _trouble(
    past: Trouble | None, problem: Problem, rotation: Rotation, life: Life, at: Moment
) -> Trouble:
    count = 1 if past is None else past.count + 1
    wait = schedule.retry_wait(
        rotation.schedule,
        life,
        failures=count,
        permanent=problem.permanent,
        retry_after=problem.retry_after,
        u=at.draw(),
    )
    return Trouble(
        count=count,
        reason=str(problem.reason),
        detail=problem.detail,
        hint=problem.hint,
        since=at.now if past is None else min(past.since, at.now),
        retry_at=at.now + wait,
        permanent=problem.permanent,
    )
