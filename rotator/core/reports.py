"""What a cycle says of each credential and each target, and of the rotation as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core.candidate import FOREVER, Candidate, Candidates
from rotator.core.errors import Reason
from rotator.core.failure import Failure
from rotator.core.report import (
    CredentialReport,
    Report,
    TargetReport,
    earliest,
    iso,
)
from rotator.core.situation import HoldBack, Situation, Write

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from rotator.core.fetch import Answer
    from rotator.core.observe import Observation
    from rotator.core.record import Record, TargetRecord
    from rotator.core.rotation import Rotation
    from rotator.core.write import Handled

_OFTEN = 2


def unusable(
    candidates: Candidates, given: Candidates, rotation: Rotation, record: Record, now: datetime
) -> dict[str, tuple[Candidate, Failure]]:
    """Return the fetched credentials that can't be published, by registry, and why.

    They were fetched in this cycle (`given`), or were pending until now.
    """
    found = {}
    for key, one in candidates.items():
        pending = record.pending.get(one.registry)
        waited = pending is not None and pending.fingerprint == one.fingerprint
        if one.foreign or not (key in given or waited):
            continue
        if one.rejected:
            failure = _rejection(one, pending.since if pending else now, rotation)
            # What is neither pending nor new had all of `settle`.
            is_permanent = key not in given and not one.pending
            found[one.registry] = one, replace(failure, permanent=is_permanent)
        elif not one.accepted and rotation.proof == "strict":
            found[one.registry] = one, _unproven(one)
    return found


def credential_reports(
    rotation: Rotation,
    record: Record,
    chosen: Mapping[str, Candidate],
    standby: Collection[Candidate],
    answers: Mapping[str, Answer],
    unusable: Mapping[str, tuple[Candidate, Failure]],
) -> list[CredentialReport]:
    """Return what became of each registry's credential.

    A source whose registries are not known yet has one report, without a registry.
    """
    sources = rotation.sources_by_registry(record)
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
            refusal = unusable.get(registry or "")
            if refusal is not None:
                outcome = _unusable_outcome(refusal[0], one)
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
    observed: Mapping[str, Observation],
    handled: Mapping[str, Handled],
    ends: Mapping[str, Mapping[str, datetime]],
    record: Record,
    *,
    dry_run: bool,
) -> list[TargetReport]:
    """Return what became of each target; those that the cycle left out are not in it."""
    reports = []
    for target in rotation.targets:
        observation, done = observed.get(target.name), handled.get(target.name)
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
                    step="read",
                )
            )
    return reports


def _target_report(
    done: Handled, expires_at: datetime | None, record: Record, *, dry_run: bool
) -> TargetReport:
    s, decision, failure = done.situation, done.decision, done.failure
    target = s.observation.target
    step = None if failure is None else "write"
    if isinstance(decision, HoldBack) and failure is None:
        failure, step = decision.failure, "plan"
        outcome = "failed" if failure.reason is Reason.MALFORMED else "held_back"
    elif failure is not None:
        outcome = "failed"
    elif isinstance(decision, Write):
        outcome = "planned" if dry_run else "written"
    else:
        outcome = "unchanged"
    moved = outcome in {"written", "planned"}
    # What the plan says was done is not true of a write that failed.
    is_true = moved or not isinstance(decision, Write)
    return TargetReport(
        name=target.name,
        outcome=outcome,
        expires_at=expires_at,
        seconds=done.seconds,
        failure=failure,
        changes=decision.changes if isinstance(decision, Write) and moved else (),
        notes=(
            *(done.notes if outcome == "written" else s.held.notes),
            *(decision.notes if is_true else ()),
            *_unproven_notes(s, decision if moved else None),
            *(_drift_notes(s, record.target(target.name)) if is_true else ()),
        ),
        group=target.group,
        step=step,
    )


def notes(
    rotation: Rotation, record: Record, surplus: Iterable[Candidate], unwanted: Iterable[Candidate]
) -> list[str]:
    """Return what a person should know of the whole rotation."""
    sources = rotation.sources_by_registry(record)
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


def _unusable_outcome(one: Candidate, chosen: Candidate | None) -> str:
    if one.rejected:
        return "pending" if one.pending else "rejected"
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
        f"try it yourself: docker login {one.registry}; then repair what {one.source} holds",
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


def _drift_notes(s: Situation, past: TargetRecord) -> list[str]:
    if len(past.drifts) < _OFTEN:
        return []
    target = s.observation.target
    who = target.other_manager(s.held) or "somebody"
    often = f"{who} took our entries out of it {len(past.drifts)} times within an hour"
    return [f"{often}, and they were put back; to do: {target.manager_advice(who)}"]
