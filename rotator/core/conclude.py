"""How a cycle ended: the record that is kept of it, and the report that tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core import settle, wake
from rotator.core.errors import Reason
from rotator.core.model import Verdict
from rotator.core.report import (
    CredentialReport,
    Problem,
    Report,
    SourceReport,
    TargetReport,
    earliest,
    outcome_of,
)
from rotator.core.rotation import DEAD, FOREVER, InHand, Rotation
from rotator.core.view import recorded_ends

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rotator.core.facts import Facts, Moment
    from rotator.core.ports import Source, Target
    from rotator.core.record import Record, SourceRecord, TargetRecord


def conclude(facts: Facts, at: Moment) -> tuple[Record, Report]:
    """Return the record after the cycle, and its report."""
    rotation = facts.rotation
    if not rotation.enabled:
        return facts.record, _paused(facts, at)
    sources = dict(facts.record.sources)
    for source in rotation.sources:
        if source.name in facts.answers:
            sources[source.name] = _source_record(facts, source, at)
    record = replace(facts.record, sources=sources)
    facts = replace(facts, record=record, served=rotation.served(record))
    targets, target_records = [], dict(record.targets)
    ends: dict[str, Mapping[str, datetime]] = {}
    for target in rotation.targets:
        told, ends[target.name] = _target(facts, target)
        targets.append(told)
        if target.policy.enabled:
            target_records[target.name] = _target_record(facts, target, told, ends[target.name], at)
    credentials = _credentials(facts)
    outcome = outcome_of(credentials, targets)
    safe_until = safe_for_jobs(rotation, facts.record, ends)
    job_safe = safe_until > at.now
    record = replace(
        record,
        targets=target_records,
        outcome=outcome,
        started_at=facts.started,
        ended_at=at.now,
        succeeded_at=at.now if outcome in {"rotated", "fresh"} else record.succeeded_at,
        safe_until=None if safe_until == DEAD else safe_until,
        job_safe=job_safe,
    )
    record = replace(record, next_at=wake.next_at(record, rotation, at))
    return record, Report(
        name=rotation.name,
        outcome=outcome,
        job_safe=job_safe,
        safe_until=None if safe_until in {DEAD, FOREVER} else safe_until,
        started_at=facts.started,
        duration_seconds=(at.now - facts.started).total_seconds(),
        next_at=record.next_at,
        credentials=tuple(credentials),
        sources=tuple(
            SourceReport(name, answer.seconds, answer.problem)
            for name, answer in facts.answers.items()
        ),
        targets=tuple(targets),
        notes=(*facts.notes, *_left_behind(facts)),
    )


def _source_record(facts: Facts, source: Source, at: Moment) -> SourceRecord:
    answer = facts.answers[source.name]
    served = {login.registry for login in answer.credentials}
    past = facts.before.source(source.name)
    problem = answer.problem
    for registry in served & facts.refused.keys():
        problem = _refusal(facts.refused[registry])
    if problem is None:
        return settle.source_answered(source, answer.credentials, facts.rotation, at)
    past = replace(past, registries=tuple(sorted(served)) or past.registries)
    stamp = answer.login_stamp
    return settle.source_failed(past, source, problem, facts.rotation, facts.hand, at, stamp)


def _target(facts: Facts, target: Target) -> tuple[TargetReport, Mapping[str, datetime]]:
    """Return what became of a target, and when the entries that it holds end."""
    past = facts.record.target(target.name)
    done = facts.published.get(target.name)
    if done is None:
        outcome = "failed" if target.policy.enabled else "paused"
        wanted = filter(target.policy.wants, facts.served)
        looked = facts.looked.get(target.name)
        problem = looked.problem if looked else None
        if problem is not None and problem.gone:
            ends = dict.fromkeys(wanted, DEAD)
        else:
            ends = recorded_ends(past, wanted, facts.hand, facts.rejected)
        return TargetReport(target.name, outcome, earliest(ends.values()), problem=problem), ends
    wish, trouble = done.wish, done.trouble
    if done.problem is not None or (trouble and trouble.reason is Reason.MALFORMED):
        outcome = "failed"
    elif trouble is not None:
        outcome = "held_back"
    elif wish.document is not None:
        outcome = "planned" if facts.dry_run else "written"
    else:
        outcome = "unchanged"
    return TargetReport(
        name=target.name,
        outcome=outcome,
        expires_at=earliest(done.ends.values()),
        seconds=done.seconds,
        problem=trouble,
        changes=wish.changes if outcome in {"written", "planned"} else (),
        notes=(*done.view.held.notes, *wish.notes, *done.notes),
    ), done.ends


def _target_record(
    facts: Facts,
    target: Target,
    told: TargetReport,
    ends: Mapping[str, datetime],
    at: Moment,
) -> TargetRecord:
    past = facts.record.target(target.name)
    done = facts.published.get(target.name)
    outcome = "stale" if done is not None and done.wish.stale else told.outcome
    trouble = told.problem
    settled = settle.target_settled(past, outcome, ends, trouble, facts.rotation, at)
    looked = facts.looked[target.name]
    if looked.again:
        return replace(settled, trouble=past.trouble)
    refused = trouble is not None and trouble.reason is Reason.LOGIN_REJECTED
    if refused and settled.trouble is not None and looked.stamp is not None:
        waits = settle.login_refused(settled.trouble, looked.stamp, at)
        settled = replace(settled, trouble=waits)
    if told.outcome != "written" or done is None or done.wish.document is None:
        return settled
    # After a conflict another document was written than the one that was claimed.
    written = done.wish.document.mark.fingerprint
    return replace(settle.claimed(settled, written), written=written)


def _credentials(facts: Facts) -> list[CredentialReport]:
    told = []
    for source in facts.rotation.sources:
        registries = [r for r, name in facts.served.items() if name == source.name]
        told += [_credential(facts, source, registry) for registry in registries]
        if not registries:
            told.append(_credential(facts, source, None))
    return told


def _credential(facts: Facts, source: Source, registry: str | None) -> CredentialReport:
    mine = facts.hand.get(registry or "")
    refused = facts.refused.get(registry or "")
    answer = facts.answers.get(source.name)
    trouble = facts.record.source(source.name).trouble
    problem = Problem.before(trouble) if trouble is not None else None
    if refused is not None:
        problem = _refusal(refused)
        outcome = "rejected" if refused.proof.verdict is Verdict.REJECTED else "kept"
        outcome = outcome if mine is not None or outcome == "rejected" else "failed"
        return _told(registry, source, outcome, refused, problem)
    if answer is not None and answer.problem is None and mine is not None:
        return _told(registry, source, "fetched", mine, None)
    if problem is None and mine is not None:
        return _told(registry, source, "fresh", mine, None)
    return _told(registry, source, "failed" if mine is None else "kept", mine, problem)


def _told(
    registry: str | None, source: Source, outcome: str, mine: InHand | None, problem: Problem | None
) -> CredentialReport:
    if mine is None:
        return CredentialReport(registry, source.name, outcome, "skipped", problem=problem)
    return CredentialReport(
        registry=registry,
        source=source.name,
        outcome=outcome,
        proof=str(mine.proof.verdict),
        expires_at=mine.credential.expires_at,
        fingerprint=mine.fingerprint,
        problem=problem,
    )


def _refusal(mine: InHand) -> Problem:
    registry = mine.credential.registry
    if mine.proof.verdict is Verdict.REJECTED:
        return Problem(
            Reason.REJECTED,
            f"{registry} rejects the credential that {mine.source} gave: {mine.proof.detail}",
            f"try it by hand: docker login {registry}; then mend what {mine.source} holds",
        )
    return Problem(
        Reason.UNREACHABLE,
        f"{registry} could not be asked about the new credential: {mine.proof.detail}",
        "`prove: strict` publishes only what its registry accepts; `prove: lenient` would publish",
    )


def safe_for_jobs(
    rotation: Rotation, record: Record, ends: Mapping[str, Mapping[str, datetime]]
) -> datetime:
    """Return until when a job that starts can pull for `longest_job` from these targets.

    `ends`: when the entry of each registry ends, by the target's name.
    """
    limits = [FOREVER if rotation.told(record) else DEAD]
    for target in rotation.targets:
        if target.name not in ends or not target.policy.enabled:
            continue
        reserve = rotation.schedule.longest_job * (not target.policy.follows)
        limits += [
            end if end in {DEAD, FOREVER} else end - reserve for end in ends[target.name].values()
        ]
    return min(limits)


def _left_behind(facts: Facts) -> list[str]:
    """Name the registries that left the configuration and stay in targets."""
    gone = facts.record.credentials.keys() - facts.served.keys() - facts.rotation.remove
    return [
        f"{registry} is no longer configured; its entry stays where it is. "
        f"To take it out everywhere: remove: [{registry}]"
        for registry in sorted(gone)
    ]


def _paused(facts: Facts, at: Moment) -> Report:
    record = facts.record
    return Report(
        name=facts.rotation.name,
        outcome="paused",
        job_safe=record.safe_until is not None and record.safe_until > at.now,
        safe_until=None if record.safe_until == FOREVER else record.safe_until,
        started_at=facts.started,
        duration_seconds=0.0,
        next_at=None,
        targets=tuple(TargetReport(t.name, "paused") for t in facts.rotation.targets),
    )
