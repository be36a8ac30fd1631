"""The last step: the record that is stored of a cycle, and the report that describes it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core import updates
from rotator.core.candidate import DEAD, FOREVER, Candidate
from rotator.core.docker_config import DockerConfig, registry_key
from rotator.core.due import next_at
from rotator.core.errors import Reason
from rotator.core.failure import Failure
from rotator.core.plan import HoldBack, Keep, Write
from rotator.core.recall import Memory
from rotator.core.report import (
    CredentialReport,
    Report,
    SourceReport,
    TargetReport,
    earliest,
    iso,
    outcome_of,
)
from rotator.core.worth import entries_now, entries_read, safe_until

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from rotator.core.candidate import Candidates
    from rotator.core.fetch import Answer
    from rotator.core.observe import Observation
    from rotator.core.plan import Situation
    from rotator.core.record import Record, TargetRecord
    from rotator.core.rotation import Rotation
    from rotator.core.updates import At
    from rotator.core.write import Written

_HOUR = timedelta(hours=1)
_OFTEN = 2
_MOST = 9
_EMPTY = DockerConfig()


def refusals(
    candidates: Candidates, given: Candidates, rotation: Rotation, record: Record, now: datetime
) -> dict[str, tuple[Candidate, Failure]]:
    """Return the fetched credentials that can't be published, by registry, and why.

    `given`: those of this cycle; beside them, those that were pending until now.
    """
    found = {}
    for key, one in candidates.items():
        pending = record.pending.get(one.registry)
        waited = pending is not None and pending.fingerprint == one.fingerprint
        if one.foreign or not (key in given or waited):
            continue
        if one.rejected:
            found[one.registry] = one, _rejection(one, pending.since if pending else now, rotation)
        elif not one.accepted and rotation.proof == "strict":
            found[one.registry] = one, _unproven(one)
    return found


def resolved(candidates: Candidates, record: Record) -> set[str]:
    """Return the registries that know a credential now which they did not know before."""
    return {
        registry
        for registry, pending in record.pending.items()
        for one in [candidates.get((registry, pending.fingerprint))]
        if one is not None and not one.rejected
    }


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
            sources[source.name] = updates.source_gave(source, answer.credentials, rotation, at)
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
        failure=past.failure if observation.repeated else None,
    )
    if report.failure is not None and not observation.repeated:
        failure = updates.target_failure(past, report.failure, ends.values(), rotation, at)
        if report.failure.reason is Reason.LOGIN_REJECTED and observation.login_stamp is not None:
            failure = updates.login_refused(failure, observation.login_stamp, at)
        record = replace(record, failure=failure)
    if report.outcome != "written" or done is None or not isinstance(done.decision, Write):
        return record
    # After a conflict another document was written than the one that was claimed.
    fingerprint = done.decision.mark.fingerprint
    record = updates.with_document(record, fingerprint)
    return replace(record, written=fingerprint, written_at=at.now)


def _mark_of(done: Written) -> str:
    """Return the fingerprint in the mark that a target has now."""
    if isinstance(done.decision, Write) and done.failure is None:
        return done.decision.mark.fingerprint
    mark = done.situation.held.mark
    return mark.fingerprint if mark is not None else ""


def credential_reports(
    rotation: Rotation,
    record: Record,
    chosen: Mapping[str, Candidate],
    standby: Collection[Candidate],
    answers: Mapping[str, Answer],
    refused: Mapping[str, tuple[Candidate, Failure]],
) -> list[CredentialReport]:
    """Return what became of each registry's credential; one a source where none is known yet."""
    sources = rotation.registries(record)
    unproven = {one.registry: one for one in standby if not one.rejected}
    reports = []
    for source in rotation.sources:
        past = record.source(source.name).failure
        failure = Failure.recorded(past) if past is not None else None
        answer = answers.get(source.name)
        gave = answer is not None and answer.failure is None
        registries: list[str | None] = [r for r, name in sources.items() if name == source.name]
        for registry in registries or [None]:
            one, waits = chosen.get(registry or ""), unproven.get(registry or "")
            refusal = refused.get(registry or "")
            if refusal is not None:
                outcome = _refused_outcome(refusal[0], one)
                reports.append(_report(registry, source.name, outcome, refusal[0], refusal[1]))
            elif waits is not None and one is not None:
                reports.append(_report(registry, source.name, "kept", one, _unproven(waits)))
            elif one is not None and (gave or failure is None):
                reports.append(
                    _report(registry, source.name, "fetched" if gave else "fresh", one, None)
                )
            else:
                outcome = "failed" if one is None else "kept"
                reports.append(_report(registry, source.name, outcome, one, failure))
    return reports


def target_reports(
    rotation: Rotation,
    observations: Mapping[str, Observation],
    written: Mapping[str, Written],
    ends: Mapping[str, Mapping[str, datetime]],
    record: Record,
    *,
    dry_run: bool,
) -> list[TargetReport]:
    """Return what became of each target; those that the cycle left out are not in it."""
    reports = []
    for target in rotation.targets:
        observation, done = observations.get(target.name), written.get(target.name)
        if observation is None:
            reports.append(TargetReport(target.name, "paused", group=target.group))
        elif done is not None:
            expires_at = earliest(ends[target.name].values())
            reports.append(_target_report(done, expires_at, record, dry_run=dry_run))
        elif observation.failure is not None:
            expires_at = earliest(ends[target.name].values())
            reports.append(
                TargetReport(
                    target.name,
                    "failed",
                    expires_at,
                    failure=observation.failure,
                    group=target.group,
                )
            )
    return reports


def _target_report(
    done: Written, expires_at: datetime | None, record: Record, *, dry_run: bool
) -> TargetReport:
    s, decision, failure = done.situation, done.decision, done.failure
    target = s.observation.target
    if isinstance(decision, HoldBack) and failure is None:
        failure = decision.failure
        outcome = "failed" if failure.reason is Reason.MALFORMED else "held_back"
    elif failure is not None:
        outcome = "failed"
    elif isinstance(decision, Write):
        outcome = "planned" if dry_run else "written"
    else:
        outcome = "unchanged"
    moved = outcome in {"written", "planned"}
    return TargetReport(
        name=target.name,
        outcome=outcome,
        expires_at=expires_at,
        seconds=done.seconds,
        failure=failure,
        changes=decision.changes if isinstance(decision, Write) and moved else (),
        notes=(
            *(done.notes if outcome == "written" else s.held.notes),
            *decision.notes,
            *_unproven_notes(s, decision if moved else None),
            *_drift_notes(s, record.target(target.name)),
        ),
        group=target.group,
    )


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
        others = {k: v for k, v in config.auths.items() if registry_key(k) not in s.registries}
        found = others or config.rest
        documents[name] = DockerConfig(others, config.rest) if found else _EMPTY
    return Memory(tuple(one.credential for one in credentials if one.end_known), documents)


def notes(
    rotation: Rotation, record: Record, surplus: Iterable[Candidate], unwanted: Iterable[Candidate]
) -> list[str]:
    """Return what a person should know of the whole rotation."""
    sources = rotation.registries(record)
    double = [
        f"what {one.source} gave for {one.registry} is not used: {sources[one.registry]} is first"
        for one in surplus
    ]
    sooner = [
        f"what {one.source} gave ends sooner than what is published for {one.registry}, which stays"
        for one in unwanted
        if not one.rejected and sources.get(one.registry) == one.source
    ]
    gone = record.credentials.keys() - sources.keys() - rotation.remove
    left = [
        f"{registry} is no longer configured; its entry stays where it is. "
        f"To take it out everywhere: remove: [{registry}]"
        for registry in sorted(gone)
    ]
    return [*double, *sooner, *left]


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
) -> tuple[Record, Report]:
    """Return the record of the whole cycle, and its report."""
    outcome = outcome_of(credentials, targets)
    end = safe_until(rotation, record, ends)
    record = replace(
        record,
        outcome=outcome,
        started_at=started,
        ended_at=at.now,
        succeeded_at=at.now if outcome in {"rotated", "fresh"} else record.succeeded_at,
        safe_until=None if end == DEAD else end,
        job_safe=end > at.now,
    )
    again = [d.again_at for d in (w.decision for w in written.values()) if isinstance(d, Keep)]
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


def _refused_outcome(refused: Candidate, chosen: Candidate | None) -> str:
    if refused.rejected:
        return "pending" if refused.pending else "rejected"
    return "failed" if chosen is None else "kept"


def _report(
    registry: str | None,
    source: str,
    outcome: str,
    one: Candidate | None,
    failure: Failure | None,
) -> CredentialReport:
    if one is None:
        return CredentialReport(registry, source, outcome, "skipped", failure=failure)
    return CredentialReport(
        registry=registry,
        source=source,
        outcome=outcome,
        proof=str(one.proof.verdict),
        expires_at=one.credential.expires_at,
        fingerprint=one.fingerprint,
        failure=failure,
    )


def _rejection(one: Candidate, since: datetime, rotation: Rotation) -> Failure:
    if one.pending:
        until = iso(since + rotation.settle)
        return Failure(
            Reason.REJECTED,
            f"{one.registry} does not accept the new credential of {one.source} yet: "
            f"{one.proof.detail}",
            f"wait: a running daemon asks again until {until} (`settle`), then fetches another; "
            "without one type: rotator run-once",
        )
    return Failure(
        Reason.REJECTED,
        f"{one.registry} rejects the credential that {one.source} gave: {one.proof.detail}",
        f"try it by hand: docker login {one.registry}; then repair what {one.source} holds",
    )


def _unproven(one: Candidate) -> Failure:
    return Failure(
        Reason.UNREACHABLE,
        f"{one.registry} could not be asked about the new credential: {one.proof.detail}",
        "it is published when the registry accepts it; `prove: lenient` publishes it without that "
        "when what is published now no longer lasts for `longest_job`",
    )


def _unproven_notes(s: Situation, decision: object) -> list[str]:
    """Say once, when it is written, that a credential was published unproven."""
    if not isinstance(decision, Write):
        return []
    changed = {change.registry for change in decision.changes}
    return [
        f"published without proof for {registry}: {one.proof.detail or 'it could not be asked'}"
        for registry, one in sorted(s.chosen.items())
        if registry in changed and one.proof.verdict == "unknown" and not one.accepted
    ]


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


def _drift_notes(s: Situation, past: TargetRecord) -> list[str]:
    if len(past.drifts) < _OFTEN:
        return []
    target = s.observation.target
    who = target.other_manager(s.held) or "somebody"
    often = f"{who} took our entries out of it {len(past.drifts)} times within an hour"
    return [f"{often}, and they were put back; to do: {target.manager_advice(who)}"]
