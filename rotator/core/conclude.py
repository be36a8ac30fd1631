"""The last step: what the journal holds of a cycle, and what a daemon carries to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core.candidate import DEAD, FOREVER, Candidate
from rotator.core.docker_config import DockerConfig
from rotator.core.due import next_at
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
from rotator.core.schedule import is_ahead
from rotator.core.worth import entries_now, is_back, safe_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from rotator.core.fetch import Answer
    from rotator.core.record import Record
    from rotator.core.rotation import At, Rotation
    from rotator.core.write import Handled


def paused(rotation: Rotation, record: Record, now: datetime) -> Report:
    """Return the report of a rotation that is not enabled."""
    safe_until = record.safe_until
    return Report(
        name=rotation.name,
        outcome="paused",
        job_safe=safe_until is not None and safe_until > now,
        safe_until=None if safe_until == FOREVER else safe_until,
        started_at=now,
        duration_seconds=0.0,
        next_at=None,
        targets=tuple(TargetReport(t.name, "paused") for t in rotation.targets),
    )


def with_sooner_end(record: Record, safe_until: datetime, now: datetime) -> Record:
    """Note until when jobs are safe, where that is sooner than it was, before the first write."""
    if record.safe_until is None or record.safe_until <= safe_until:
        return record
    end = None if safe_until == DEAD else safe_until
    return replace(record, safe_until=end, job_safe=safe_until > now)


def remembered(
    memory: Memory, handled: Mapping[str, Handled], credentials: Iterable[Candidate]
) -> Memory:
    """Return what a daemon carries to its next cycle."""
    documents = dict(memory.documents)
    last = DockerConfig()
    for name, done in handled.items():
        config = done.write.config if done.write else done.situation.observation.config
        if config is None:
            continue
        # Thousands of variables hold the same: one copy of it is enough.
        last = last if config == last else config
        documents[name] = last
    return Memory(tuple(one.credential for one in credentials if one.end_known), documents)


def conclude(
    record: Record,
    rotation: Rotation,
    credentials: Sequence[CredentialReport],
    targets: Sequence[TargetReport],
    answers: Mapping[str, Answer],
    ends: Mapping[str, Mapping[str, datetime]],
    notes: Sequence[str],
    handled: Mapping[str, Handled],
    started: datetime,
    at: At,
    *,
    whole: bool,
    more: bool,
) -> tuple[Record, Report]:
    """Return the record of the whole cycle, and its report; `whole`: it left no target out.

    `more`: other parts of the cycle follow. The last one concludes it: until then the journal says
    what the cycle before said, or that jobs are safe for less.
    """
    outcome = outcome_of(credentials, targets)
    end = safe_until(rotation, record, ends)
    if is_ahead(started, at.now):
        end = DEAD
        notes = (*notes, "the clock went back during the cycle: no end is known until the next one")
    again = [done.again_at for done in handled.values()]
    again += [at.now for done in handled.values() if _needs_another_read(done, record)]
    next_cycle = next_at(record, rotation, again, at.now, at.random)
    job_safe = end > at.now
    if more:
        record = with_sooner_end(record, end, at.now)
    else:
        record = replace(
            record,
            outcome=outcome,
            started_at=started,
            whole_at=at.now if whole else record.whole_at,
            ended_at=at.now,
            succeeded_at=at.now if outcome in SUCCEEDED else record.succeeded_at,
            safe_until=None if end == DEAD else end,
            longest_job=rotation.schedule.longest_job.total_seconds(),
            job_safe=job_safe,
            next_at=next_cycle,
            notes=all_notes(notes, targets),
        )
    return record, Report(
        name=rotation.name,
        outcome=outcome,
        job_safe=job_safe,
        safe_until=None if end in {DEAD, FOREVER} else end,
        started_at=started,
        duration_seconds=(at.now - started).total_seconds(),
        next_at=next_cycle,
        credentials=tuple(credentials),
        sources=tuple(
            SourceReport(name, answer.seconds, answer.failure) for name, answer in answers.items()
        ),
        targets=tuple(targets),
        notes=tuple(notes),
    )


def _needs_another_read(done: Handled, record: Record) -> bool:
    """Tell whether a target holds an entry that only another read can judge.

    Somebody wrote it after the read, and our write left it there. Or it is another rotator's, which
    is back after a later one had replaced it.
    """
    s = done.situation
    if s.one_writer:
        return False
    there = [key for key in entries_now(done).items() if key[0] in s.registries]
    found = [s.candidates.get(key) for key in there]
    return any(one is None or is_back(one, s, record) for one in found)
