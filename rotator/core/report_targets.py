"""What a cycle reports of each target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.core.errors import Reason
from rotator.core.record_targets import MOST_DRIFTS
from rotator.core.report import TargetReport, earliest
from rotator.core.situation import HoldBack, Situation, Write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rotator.core.observe import Observation
    from rotator.core.record import Record, TargetRecord
    from rotator.core.rotation import Rotation
    from rotator.core.write import Handled

# How many times within an hour somebody takes our entries out before it is said.
_OFTEN = 2


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
            *(
                _deeds(s, decision, dry_run=dry_run)
                if isinstance(decision, Write) and moved
                else ()
            ),
            *(_drift_notes(s, record.target(target.name), dry_run=dry_run) if is_true else ()),
        ),
        group=target.group,
        step=step,
    )


def _deeds(s: Situation, decision: Write, *, dry_run: bool) -> list[str]:
    """Say what a write does beside the entries; of a dry run, what it would do.

    That a credential was published unproven is said once, when it is written.
    """
    changed = {change.registry for change in decision.changes}
    unproven = [
        (
            f"the credential for {registry}",
            f"published without proof: {one.proof.detail or 'its registry could not be asked'}",
        )
        for registry, one in sorted(s.chosen.items())
        if registry in changed and one.proof.verdict == "unknown" and not one.accepted
    ]
    does = "would be" if dry_run else "was"
    return [f"{what} {does} {deed}" for what, deed in (*decision.deeds, *unproven)]


def _drift_notes(s: Situation, past: TargetRecord, *, dry_run: bool) -> list[str]:
    if len(past.drifts) < _OFTEN:
        return []
    target = s.observation.target
    who = target.other_manager(s.held) or "somebody"
    todo = target.manager_advice(who)
    if s.one_writer and s.foreign_mark is not None:
        who = s.last_writer
        todo = "leave this target to one of the two, or give each a place of its own"
    count = f"{'at least ' if len(past.drifts) == MOST_DRIFTS else ''}{len(past.drifts)}"
    often = f"{who} took our entries out of it {count} times within an hour"
    does = "would be" if dry_run else "were"
    return [f"{often}, and they {does} put back; to do: {todo}"]
