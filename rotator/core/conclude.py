"""The last step: what the journal holds of a cycle, and what a daemon carries to the next."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core import updates
from rotator.core.candidate import DEAD, FOREVER, Candidate
from rotator.core.docker_config import DockerConfig
from rotator.core.docker_entry import registry_key
from rotator.core.due import next_at
from rotator.core.errors import Reason
from rotator.core.recall import Memory
from rotator.core.report import (
    SUCCEEDED,
    CredentialReport,
    Report,
    SourceReport,
    TargetReport,
    all_notes,
    outcome_of,
)
from rotator.core.schedule import CLOCK_STEP
from rotator.core.situation import Keep, Situation, Write
from rotator.core.worth import entries_now, entries_read, is_back, safe_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rotator.core.failure import Failure
    from rotator.core.fetch import Answer
    from rotator.core.observe import Observation
    from rotator.core.record import Record, TargetRecord
    from rotator.core.rotation import Rotation
    from rotator.core.updates import At
    from rotator.core.write import Written

_HOUR = timedelta(hours=1)


_MOST = 9


_EMPTY = DockerConfig()


def with_sources(
    record: Record,
    before: Record,
    rotation: Rotation,
    answers: Mapping[str, Answer],
    refused: Mapping[str, tuple[Candidate, Failure]],
    chosen: Mapping[str, Candidate],
    at: At,
) -> Record:
    """Note how each source did that was asked, or whose credential was refused."""
    sources = dict(record.sources)
    for source in rotation.sources:
        answer = answers.get(source.name)
        failure = answer.failure if answer is not None else None
        for one, refusal in refused.values():
            if one.source == source.name and not one.pending:
                failure = refusal
        past = before.source(source.name)
        if failure is not None:
            given = answer.credentials if answer is not None else ()
            registries = tuple(sorted({login.registry for login in given}))
            past = replace(past, registries=registries or past.registries)
            stamp = answer.login_stamp if answer is not None else None
            sources[source.name] = updates.source_failed(
                past, source, failure, rotation, chosen, at, stamp
            )
        elif answer is not None:
            sources[source.name] = updates.source_gave(
                source, answer.credentials, rotation, at, first=past.fetched_at is None
            )
    return replace(record, sources=sources)


def with_drifts(record: Record, situations: Mapping[str, Situation], now: datetime) -> Record:
    """Note where somebody took our entries out since the last write of ours was confirmed."""
    targets = dict(record.targets)
    for name, s in situations.items():
        past = record.target(name)
        recent = tuple(when for when in past.drifts if now - _HOUR < when <= now)
        if _has_drifted(s, past):
            in_a_row = 0 if s.one_writer else 1 + (past.drifted if recent else 0)
            past = replace(past, drifts=(*recent, now)[-_MOST:], drifted=in_a_row)
        else:
            past = replace(past, drifts=recent, drifted=0)
        targets[name] = past
    return replace(record, targets=targets)


def with_targets(
    record: Record,
    rotation: Rotation,
    observations: Mapping[str, Observation],
    written: Mapping[str, Written],
    reports: Iterable[TargetReport],
    ends: Mapping[str, Mapping[str, datetime]],
    at: At,
) -> Record:
    """Note what each target holds and how the cycle ended for it; forget members that are gone."""
    listed = {o.target.group for o in observations.values()} - {None}
    here = {target.name for target in rotation.targets}
    targets = {
        name: past
        for name, past in record.targets.items()
        if name in here or not (past.group in listed or name in listed)
    }
    for report in reports:
        observation = observations.get(report.name)
        if observation is None or observation.left_out:
            continue
        past = record.target(report.name)
        done = written.get(report.name)
        targets[report.name] = _target_record(
            past, report, observation, done, ends[report.name], rotation, at
        )
    return replace(record, targets=targets)


def _target_record(
    past: TargetRecord,
    report: TargetReport,
    observation: Observation,
    done: Written | None,
    ends: Mapping[str, datetime],
    rotation: Rotation,
    at: At,
) -> TargetRecord:
    end = min(ends.values(), default=DEAD)
    stale = done is not None and isinstance(done.decision, Keep) and done.decision.stale
    record = replace(
        past,
        outcome="stale" if stale else report.outcome,
        end=None if end == DEAD else end,
        ends={registry: one for registry, one in ends.items() if one != DEAD},
        entries=past.entries if done is None or stale else dict(entries_now(done)),
        group=observation.target.group,
        mark=past.mark if done is None else _mark_of(done),
        edited=past.edited if done is None else _edited_mark(done),
        failure=past.failure if observation.repeated else None,
    )
    if report.failure is not None and not observation.repeated:
        failure = updates.target_failure(past, report.failure, ends.values(), rotation, at)
        if report.failure.reason is Reason.LOGIN_REJECTED and observation.login_stamp is not None:
            failure = updates.login_refused(failure, observation.login_stamp, at)
        elif report.failure.reason is Reason.UNREADABLE:
            failure = replace(failure, login_stamp=observation.login_stamp)
        record = replace(record, failure=failure)
    if report.outcome != "written" or done is None or not isinstance(done.decision, Write):
        return record
    # After a conflict another document was written than the one that was claimed.
    fingerprint = done.decision.mark.fingerprint
    record = updates.with_document(record, fingerprint)
    return replace(record, written=fingerprint, written_at=at.now)


def _edited_mark(done: Written) -> str:
    """Return the fingerprint of a mark that was left on a document that somebody edited."""
    s = done.situation
    if isinstance(done.decision, Write) and done.failure is None:
        return ""
    return s.held.mark.fingerprint if s.held.mark is not None and s.is_edited else ""


def _mark_of(done: Written) -> str:
    """Return the fingerprint in the mark that a target has now."""
    if isinstance(done.decision, Write) and done.failure is None:
        return done.decision.mark.fingerprint
    mark = done.situation.held.mark
    return mark.fingerprint if mark is not None else ""


def remembered(
    memory: Memory, written: Mapping[str, Written], credentials: Iterable[Candidate]
) -> Memory:
    """Return what a daemon carries to its next cycle."""
    documents = dict(memory.documents)
    for name, done in written.items():
        s, decision = done.situation, done.decision
        config = s.observation.config
        if isinstance(decision, Write) and done.failure is None:
            config = decision.config
        if config is None:
            continue
        others = any(registry_key(key) not in s.registries for key in config.auths)
        # Of thousands of variables most hold ours alone, which need no memory.
        whole = others or config.rest or s.observation.target.compares
        documents[name] = config if whole else _EMPTY
    return Memory(tuple(one.credential for one in credentials if one.end_known), documents)


def conclude(
    record: Record,
    rotation: Rotation,
    credentials: Sequence[CredentialReport],
    targets: Sequence[TargetReport],
    answers: Mapping[str, Answer],
    ends: Mapping[str, Mapping[str, datetime]],
    noted: Sequence[str],
    written: Mapping[str, Written],
    started: datetime,
    at: At,
    *,
    whole: bool,
) -> tuple[Record, Report]:
    """Return the record of the whole cycle, and its report; `whole`: it left no target out."""
    outcome = outcome_of(credentials, targets)
    end = safe_until(rotation, record, ends)
    if at.now < started - CLOCK_STEP:
        end = DEAD
        noted = (*noted, "the clock went back during the cycle: no end is known until the next one")
    record = replace(
        record,
        outcome=outcome,
        started_at=started,
        whole_at=at.now if whole else record.whole_at,
        ended_at=at.now,
        succeeded_at=at.now if outcome in SUCCEEDED else record.succeeded_at,
        safe_until=None if end == DEAD else end,
        job_safe=end > at.now,
        notes=all_notes(noted, targets),
    )
    again = [d.again_at for d in (w.decision for w in written.values()) if isinstance(d, Keep)]
    again += [at.now for done in written.values() if _needs_another_read(done, record)]
    record = replace(record, next_at=next_at(record, rotation, again, at.now, at.random))
    return record, Report(
        name=rotation.name,
        outcome=outcome,
        job_safe=record.job_safe,
        safe_until=None if end in {DEAD, FOREVER} else end,
        started_at=started,
        duration_seconds=(at.now - started).total_seconds(),
        next_at=record.next_at,
        credentials=tuple(credentials),
        sources=tuple(
            SourceReport(name, answer.seconds, answer.failure) for name, answer in answers.items()
        ),
        targets=tuple(targets),
        notes=tuple(noted),
    )


def _needs_another_read(done: Written, record: Record) -> bool:
    """Tell whether a target holds what only another read can judge.

    Somebody wrote an entry of ours since the read, which a write left there. Or what another
    rotator had replaced is back.
    """
    s = done.situation
    if s.one_writer:
        return False
    there = [(r, name) for r, name in entries_now(done).items() if r in s.registries]
    found = [s.candidates.get(key) for key in there]
    return any(one is None or is_back(one, s, record) for one in found)


def _has_drifted(s: Situation, past: TargetRecord) -> bool:
    """Tell whether an entry that we published is gone or edited, and no rotator did that."""
    there = entries_read(s)
    if not past.written or not past.entries:
        return False
    if s.one_writer:
        return not there
    if s.foreign_mark is not None:
        return False
    return any(
        past.entries.get(registry) and _is_not_ours(s, registry, there) for registry in s.registries
    )


def _is_not_ours(s: Situation, registry: str, there: Mapping[str, str]) -> bool:
    name = there.get(registry)
    one = s.candidates.get((registry, name)) if name else None
    return one is None or (one.foreign and name != s.past.entries.get(registry))
