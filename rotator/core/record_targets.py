"""What the record holds of the targets: their documents, entries, ends, drifts and failures.

Each function takes a record and returns a new one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core.candidate import DEAD, FOREVER
from rotator.core.record import TargetRecord
from rotator.core.retries import next_failure, with_login
from rotator.core.schedule import ENDLESS, NOTHING, Life
from rotator.core.situation import Situation, Write
from rotator.core.worth import entries_now, entries_read

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from rotator.core.failure import Failure
    from rotator.core.observe import Observation
    from rotator.core.record import FailureRecord, Record
    from rotator.core.report import TargetReport
    from rotator.core.rotation import At, Rotation
    from rotator.core.write import Handled

_HOUR = timedelta(hours=1)

MOST_DRIFTS = 9
"""How many are remembered."""

_MOST_DOCUMENTS = 5
"""How many documents of ours are remembered for a target."""


def without_gone(record: Record, rotation: Rotation, members: Rotation) -> tuple[Record, list[str]]:
    """Forget the targets that left the configuration or moved; return a note for each.

    `members`: the rotation with its groups replaced by their members. A group without any is noted
    as read: it is no target that nobody has dealt with.
    """
    here = {target.name for target in (*rotation.targets, *members.targets)}
    gone = {n: p for n, p in record.targets.items() if n not in here and p.group not in here}
    configured = {target.name: target.configured for target in members.targets}
    moved = {
        name: replace(TargetRecord(), fingerprints=past.fingerprints, group=past.group)
        for name, past in record.targets.items()
        if past.configured and past.configured != configured.get(name, past.configured)
    }
    places: dict[str, set[str]] = {}
    for name, past in gone.items():
        places.setdefault(past.group or name, set()).update(past.entries)
    notes = [
        f"{name} is no longer a target; what is there stays and is not renewed. "
        f"To take it away: delete it, or take {', '.join(sorted(entries))} out of it"
        for name, entries in sorted(places.items())
        if entries
    ]
    notes += [
        f"{name} is at another place now; what is at the former one stays and is not renewed. "
        "To take it away: delete it there"
        for name in sorted(moved)
    ]
    filled = {name for target in members.targets for name in (target.name, target.group)}
    empty = {t.name for t in rotation.targets if t.is_group and t.policy.enabled} - filled
    targets = {n: p for n, p in record.targets.items() if n not in gone and p.group not in empty}
    targets |= moved
    targets |= dict.fromkeys(empty, TargetRecord(outcome="unchanged", end=FOREVER))
    return replace(record, targets=targets), notes


def with_drifts(record: Record, situations: Mapping[str, Situation], now: datetime) -> Record:
    """Note in which targets somebody took our entries out since we published them."""
    targets = dict(record.targets)
    for name, s in situations.items():
        past = record.target(name)
        recent = tuple(when for when in past.drifts if now - _HOUR < when <= now)
        if _has_drifted(s, past):
            in_a_row = 0 if s.one_writer else 1 + (past.drifted if recent else 0)
            past = replace(past, drifts=(*recent, now)[-MOST_DRIFTS:], drifted=in_a_row)
        else:
            past = replace(past, drifts=recent, drifted=0)
        targets[name] = past
    return replace(record, targets=targets)


def with_documents(record: Record, planned: Mapping[str, Handled]) -> Record:
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
    return replace(past, fingerprints=(fingerprint, *others)[:_MOST_DOCUMENTS])


def with_targets(
    record: Record,
    rotation: Rotation,
    observed: Mapping[str, Observation],
    handled: Mapping[str, Handled],
    reports: Iterable[TargetReport],
    ends: Mapping[str, Mapping[str, datetime]],
    at: At,
) -> Record:
    """Note what each target holds and how the cycle ended for it.

    A member that its group no longer lists is forgotten.
    """
    listed = {o.target.group for o in observed.values()} - {None}
    here = {target.name for target in rotation.targets}
    targets = {
        name: past
        for name, past in record.targets.items()
        if name in here or not (past.group in listed or name in listed)
    }
    for report in reports:
        observation = observed.get(report.name)
        if observation is None or observation.left_out:
            continue
        past = record.target(report.name)
        done = handled.get(report.name)
        targets[report.name] = _target_record(
            past, report, observation, done, ends[report.name], rotation, at
        )
    return replace(record, targets=targets)


def _target_record(
    past: TargetRecord,
    report: TargetReport,
    observation: Observation,
    done: Handled | None,
    ends: Mapping[str, datetime],
    rotation: Rotation,
    at: At,
) -> TargetRecord:
    end = min(ends.values(), default=DEAD)
    stale = done is not None and done.stale
    record = replace(
        past,
        outcome="stale" if stale else report.outcome,
        end=None if end == DEAD else end,
        ends={registry: one for registry, one in ends.items() if one != DEAD},
        entries=past.entries if done is None or stale else dict(entries_now(done)),
        group=observation.target.group,
        configured=observation.target.configured,
        mark=past.mark if done is None else _mark_of(done),
        edited=past.edited if done is None else _edited_mark(done),
        failure=past.failure if observation.repeated else None,
    )
    if report.failure is not None and not observation.repeated:
        failure = _target_failure(past, report.failure, ends.values(), rotation, at)
        if observation.login_stamp is not None:
            failure = with_login(failure, observation.login_stamp, at)
        record = replace(record, failure=failure)
    if report.outcome != "written" or done is None or done.write is None:
        return record
    # After a conflict another document was written than the one that `with_documents` noted.
    fingerprint = done.write.mark.fingerprint
    record = with_document(record, fingerprint)
    return replace(record, written=fingerprint, written_at=at.now)


def _edited_mark(done: Handled) -> str:
    """Return the fingerprint of a mark that was left on a document that somebody edited."""
    s = done.situation
    if done.write is not None:
        return ""
    return s.held.mark.fingerprint if s.held.mark is not None and s.is_edited else ""


def _mark_of(done: Handled) -> str:
    """Return the fingerprint in the mark that a target has now."""
    if done.write is not None:
        return done.write.mark.fingerprint
    mark = done.situation.held.mark
    return mark.fingerprint if mark is not None else ""


def _target_failure(
    past: TargetRecord, failure: Failure, ends: Collection[datetime], rotation: Rotation, at: At
) -> FailureRecord:
    """Return a target's next failure; `ends`: when the entries in it end."""
    end = min(ends, default=DEAD)
    life = Life(NOTHING if end == DEAD else min(end - at.now, ENDLESS.left))
    return next_failure(past.failure, failure, rotation, life, at)


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
    """Tell whether a registry's entry is gone, or another one than we published."""
    fingerprint = there.get(registry)
    one = s.candidates.get((registry, fingerprint)) if fingerprint else None
    return one is None or (one.foreign and fingerprint != s.past.entries.get(registry))
