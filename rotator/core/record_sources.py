"""What the record holds of the sources: when each was asked, what it gave, and its failure.

Each function takes a record and returns a new one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core import schedule
from rotator.core.errors import Reason
from rotator.core.failure import Failure
from rotator.core.record import Record, SourceRecord
from rotator.core.retries import life_of_source, next_failure, with_login
from rotator.core.rotation import registries_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from rotator.core.candidate import Candidate
    from rotator.core.fetch import Answer
    from rotator.core.model import Credential
    from rotator.core.ports import Source
    from rotator.core.rotation import At, Rotation

_UNFINISHED = Failure(
    Reason.UNAVAILABLE,
    "the last fetch did not end: rotator was stopped or crashed during it",
    "nothing to do if it was stopped; else see the log from that time",
)


def with_later_start(
    record: Record, rotation: Rotation, chosen: Mapping[str, Candidate], at: At
) -> Record:
    """Put off what is overdue when a daemon starts, by a random time in which jobs are safe."""
    sources, credentials = dict(record.sources), dict(record.credentials)
    for source in rotation.sources:
        past = record.source(source.name)
        life = life_of_source(past, source, chosen, at.now)
        later = at.now + schedule.start_wait(rotation.schedule, life, u=at.random())
        if past.poll_at is not None and past.poll_at < later:
            sources[source.name] = replace(past, poll_at=later)
        for registry in registries_of(source, past):
            for newest in credentials.get(registry, ())[:1]:
                if newest.renew_at is not None and newest.renew_at < later:
                    others = credentials[registry][1:]
                    credentials[registry] = (replace(newest, renew_at=later), *others)
    return replace(record, sources=sources, credentials=credentials)


def with_configuration(record: Record, rotation: Rotation) -> Record:
    """Note how the sources are configured; what is known of one that changed is of another source.

    A journal of an earlier version does not say how a source was configured.
    """
    sources = dict(record.sources)
    for source in rotation.sources:
        past = record.source(source.name)
        if past.configured != source.configured:
            new = SourceRecord(changed=True) if past.configured else past
            sources[source.name] = replace(new, configured=source.configured)
    return record if sources == record.sources else replace(record, sources=sources)


def with_waits(
    record: Record,
    rotation: Rotation,
    needed: Collection[Source],
    chosen: Mapping[str, Candidate],
    at: At,
) -> Record:
    """Note which failures and waits of the sources are left, by what is chosen now.

    A source that is not needed any more has no failure: another rotator published something
    fresh. A wait is cut where less life is left than when it was set.
    """
    sources = dict(record.sources)
    for source in rotation.sources:
        past = record.source(source.name)
        failure = past.failure
        if failure is None:
            continue
        if source not in needed:
            failure = None
        elif failure.reason != Reason.LOGIN_REJECTED:
            life = life_of_source(past, source, chosen, at.now)
            throttled = failure.reason == Reason.THROTTLED
            longest = schedule.longest_wait(rotation.schedule, life, throttled=throttled)
            failure = replace(failure, retry_at=min(failure.retry_at, at.now + longest))
        sources[source.name] = replace(past, failure=failure)
    return replace(record, sources=sources)


def with_attempts(
    record: Record,
    rotation: Rotation,
    asked: Iterable[Source],
    chosen: Mapping[str, Candidate],
    at: At,
) -> Record:
    """Note that sources are about to be asked.

    Until the cycle ends this counts as a failure, so that a crash loop backs off instead of taking
    a lease at each restart. A login that was refused counts as refused again: a crash loop must not
    lock it. What is fetched before its time is due from now on, until a fetch succeeds.
    """
    sources, credentials = dict(record.sources), dict(record.credentials)
    for source in asked:
        past = record.source(source.name)
        life = life_of_source(past, source, chosen, at.now)
        failure = next_failure(past.failure, _UNFINISHED, rotation, life, at)
        before = past.failure
        if before is not None and before.reason == Reason.LOGIN_REJECTED:
            stamp = source.login_stamp()
            failure = with_login(before, stamp, at) if stamp == before.login_stamp else failure
        sources[source.name] = replace(past, attempted_at=at.now, failure=failure)
        for registry in registries_of(source, past):
            credentials[registry] = tuple(
                replace(known, renew_at=min(known.renew_at, at.now)) if known.renew_at else known
                for known in record.credentials.get(registry, ())
            )
    return replace(record, sources=sources, credentials=credentials)


def with_registries(record: Record, answers: Mapping[str, Answer]) -> Record:
    """Note which registries the sources gave credentials for."""
    sources = dict(record.sources)
    for name, answer in answers.items():
        registries = tuple(sorted({one.registry for one in answer.credentials}))
        if registries:
            sources[name] = replace(record.source(name), registries=registries)
    return replace(record, sources=sources)


def with_answers(
    record: Record,
    before: Record,
    rotation: Rotation,
    answers: Mapping[str, Answer],
    unusable: Mapping[str, tuple[Candidate, Failure]],
    chosen: Mapping[str, Candidate],
    at: At,
) -> Record:
    """Note what came of asking the sources: what they gave, or why they or it failed.

    `unusable`: what they gave and can't be published, and why. `before`: the record from before
    the attempt, which counts as a failure.
    """
    sources = dict(record.sources)
    for source in rotation.sources:
        answer = answers.get(source.name)
        failure = answer.failure if answer is not None else None
        for one, refusal in unusable.values():
            if one.source == source.name and not one.pending:
                failure = refusal
        past = before.source(source.name)
        if failure is not None:
            given = answer.credentials if answer is not None else ()
            registries = tuple(sorted({one.registry for one in given}))
            past = replace(past, registries=registries or past.registries)
            stamp = answer.login_stamp if answer is not None else None
            sources[source.name] = _failed(past, source, failure, rotation, chosen, at, stamp)
        elif answer is not None:
            sources[source.name] = _gave(
                source, answer.credentials, rotation, at, first=past.fetched_at is None
            )
    return replace(record, sources=sources)


def _failed(
    before: SourceRecord,
    source: Source,
    failure: Failure,
    rotation: Rotation,
    chosen: Mapping[str, Candidate],
    at: At,
    stamp: str | None,
) -> SourceRecord:
    """Return a source's record after a failure; `before`: the one from before the attempt."""
    life = life_of_source(before, source, chosen, at.now)
    failed = with_login(next_failure(before.failure, failure, rotation, life, at), stamp, at)
    return replace(before, attempted_at=at.now, failure=failed)


def _gave(
    source: Source, given: Collection[Credential], rotation: Rotation, at: At, *, first: bool
) -> SourceRecord:
    """Return a source's record after a fetch, perhaps the first, that gave these credentials.

    Where none lives longer than the longest job, the source is asked again when they have ended,
    even if another rotator's credential needs no renewal: an end in that one's mark is not believed
    beyond the life that we know.
    """
    poll = schedule.poll_at(at.now, rotation.schedule, u=at.random(), first=first)
    endless = any(one.expires_at is None for one in given)
    lives = [
        (one.expires_at - one.issued_at).total_seconds()
        for one in given
        if one.expires_at is not None
    ]
    longest = None if endless else max(lives, default=None)
    poll_at = poll if source.changes_early or endless else None
    if longest is not None and timedelta(seconds=longest) <= rotation.schedule.longest_job:
        poll_at = poll_at or at.now + timedelta(seconds=longest)
    return SourceRecord(
        registries=tuple(sorted({one.registry for one in given})),
        attempted_at=at.now,
        fetched_at=at.now,
        poll_at=poll_at,
        longest_life=longest,
        learned=source.learned,
        configured=source.configured,
    )
