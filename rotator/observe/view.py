"""Makes the view of a rotation: the one place that reads a record and a report for people.

It needs the rotation's settings, its record and, where there is one, the report of its last cycle.
So it is the same while the daemon runs and when it is dead.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core.candidate import DEAD, FOREVER
from rotator.core.errors import Reason
from rotator.core.report import GOOD_CREDENTIAL, GOOD_TARGET, all_notes
from rotator.observe.safety import safety
from rotator.observe.times import relative
from rotator.observe.view_credentials import credentials_of, recorded
from rotator.observe.view_model import (
    FINE,
    CredentialView,
    FailureView,
    Health,
    RotationView,
    TargetView,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from rotator.config.schema import RotationSettings
    from rotator.core.failure import Failure
    from rotator.core.record import Record, TargetRecord
    from rotator.core.report import Report
    from rotator.observe.safety import Safety
    from rotator.observe.view_model import Found

# Members of a target that stands for many which are shown by name.
_WORST = 5

# How long after its time a cycle may end, beside a poll, before it is said that none does.
_LATE = timedelta(minutes=5)


def rotation_view(
    settings: RotationSettings,
    record: Record,
    now: datetime,
    report: Report | None = None,
    *,
    in_cycle: bool = True,
) -> RotationView:
    """Return the view of a rotation by its record; a report counts if it is of the same cycle.

    `in_cycle`: a cycle may be running now. The failure that is recorded before each fetch does not
    count then, as the fetch may still end well.
    """
    if report is not None and report.started_at != record.started_at:
        report = None
    asked = [name for name in record.sources if _is_asked(record, name)] if in_cycle else []
    safe = safety(settings, record, now)
    view = RotationView(
        name=settings.name,
        outcome=(record.outcome or None) if settings.enabled else "paused",
        job_safe=safe.until > now,
        safe_until=None if safe.until in {DEAD, FOREVER} else safe.until,
        longest_job=settings.longest_job.total_seconds(),
        started_at=record.started_at,
        ended_at=record.ended_at,
        succeeded_at=record.succeeded_at,
        next_at=record.next_at if settings.enabled else None,
        credentials=tuple(credentials_of(settings, record, now, asked)),
        targets=tuple(_targets(settings, record, safe.targets)),
        notes=record.notes,
        in_cycle=bool(asked),
        failure=_overdue(settings, record, now, in_cycle=bool(asked)),
    )
    view = _judged(view if report is None else _completed(view, report), now)
    return _explained(view, safe, now)


def with_found(view: RotationView, found: Mapping[str, Found], now: datetime) -> RotationView:
    """Return the view with what its targets hold now, by their names."""
    targets = []
    for one in view.targets:
        there = found.get(one.name)
        lacks = there is not None and there.lacks
        targets.append(replace(one, found=there, end=None if lacks else one.end))
        if lacks:
            view = replace(view, job_safe=False, safe_until=None)
    return _judged(replace(view, targets=tuple(targets)), now)


def report_view(report: Report, safe: Safety, now: datetime) -> RotationView:
    """Return the view of one cycle alone, as `run-once` shows it, also after a dry run.

    `safe`: how safe jobs are by the record after it.
    """
    unsafe = {} if report.outcome == "paused" else safe.targets
    view = RotationView(
        name=report.name,
        outcome=report.outcome,
        job_safe=report.job_safe,
        safe_until=report.safe_until,
        credentials=tuple(
            CredentialView(
                registry=one.registry,
                source=one.source,
                outcome=one.outcome,
                proof=one.proof,
                expires_at=one.expires_at,
                fingerprint=one.fingerprint,
                failure=_reported(one.failure),
            )
            for one in report.credentials
        ),
        targets=tuple(_reported_targets(report, unsafe)),
        notes=all_notes(report.notes, report.targets),
    )
    return _explained(_judged(view, now), safe, now)


def _is_asked(record: Record, source: str) -> bool:
    """Tell whether a source was asked after the last cycle had ended: its answer is not there."""
    attempted_at = record.source(source).attempted_at
    return attempted_at is not None and (record.ended_at is None or attempted_at > record.ended_at)


def _overdue(
    settings: RotationSettings, record: Record, now: datetime, *, in_cycle: bool
) -> FailureView | None:
    """Return that the next cycle should have ended long ago, where that is so."""
    late = settings.schedule.poll + _LATE
    if not settings.enabled or in_cycle or record.ended_at is None or record.next_at is None:
        return None
    if now - record.next_at <= late:
        return None
    last, due = relative(record.ended_at, now), relative(record.next_at, now)
    return FailureView(
        Reason.OVERDUE,
        f"its last cycle ended {last}, and the next was due {due}: nothing is renewed",
        f"start the daemon: systemctl start rotator; or type: rotator run-once {settings.name}",
    )


def _explained(view: RotationView, safe: Safety, now: datetime) -> RotationView:
    """Return the view with a reason, where it is not green and none of its parts says why."""
    is_first = view.outcome is None and view.in_cycle
    if view.health in FINE or is_first or any(view.failures()):
        return view
    failure = _reported(safe.rotation) or FailureView(
        Reason.NO_CYCLE,
        f"its last cycle ended {view.outcome}, and nothing that it noted is left to say why",
        f"type: rotator run-once {view.name}",
    )
    return _judged(replace(view, failure=failure), now)


def _targets(
    settings: RotationSettings, record: Record, unsafe: Mapping[str, Failure]
) -> Iterable[TargetView]:
    """Yield every target; one that stands for many as one, and its worst by name.

    `unsafe`: why those are not job-safe whose own failure does not say it.
    """
    for target in settings.targets:
        on, name = settings.enabled and target.enabled, target.target_name
        members = [
            _target(member, past, unsafe, on=on)
            for member, past in record.targets.items()
            if past.group == name
        ]
        own = _target(name, record.target(name), {} if members else unsafe, on=on)
        whole, *failing = _together(name, members) if members else (own,)
        if own.failure is not None:  # its members could not be found
            whole = replace(whole, outcome=own.outcome, failure=own.failure)
        yield from (whole, *failing)


def _target(
    name: str, past: TargetRecord, unsafe: Mapping[str, Failure], *, on: bool
) -> TargetView:
    # A read that came too soon after a write said nothing else than the write.
    outcome = "written" if past.outcome == "stale" else past.outcome or None
    return TargetView(
        name=name,
        outcome=outcome if on else "paused",
        end=past.end,
        written_at=past.written_at,
        fingerprint=past.written or None,
        failure=recorded(past.failure) or (_reported(unsafe.get(name)) if on else None),
    )


def _reported_targets(report: Report, unsafe: Mapping[str, Failure]) -> Iterable[TargetView]:
    """Yield every target of a report; one that stands for many as one, and its worst by name."""
    groups: dict[str, list[TargetView]] = {}
    for one in report.targets:
        end = one.expires_at or (FOREVER if one.outcome in GOOD_TARGET else None)
        failure = _reported(one.failure or unsafe.get(one.name))
        view = TargetView(one.name, one.outcome, end, failure=failure)
        if one.group is None:
            yield view
        else:
            groups.setdefault(one.group, []).append(view)
    for name, members in groups.items():
        yield from _together(name, members)


def _together(name: str, members: Sequence[TargetView]) -> Iterable[TargetView]:
    worst = sorted(members, key=_badness, reverse=True)
    failing = [one for one in worst if one.failure is not None]
    yield replace(worst[0], name=name, objects=len(members), failing=len(failing))
    yield from failing[:_WORST]


def _badness(one: TargetView) -> tuple[bool, bool, float]:
    end = one.end.timestamp() if one.end is not None else 0.0
    return one.failure is not None, one.end is None, -end


def _completed(view: RotationView, report: Report) -> RotationView:
    """Return the view with what only the report of its last cycle says."""
    reported = {(one.source, one.registry): one for one in report.credentials}
    credentials = list(view.credentials)
    for at, one in enumerate(credentials):
        if found := reported.get((one.source, one.registry)):
            # A credential that has ended since then is failed, whatever the cycle said.
            outcome = one.outcome if one.outcome == "failed" else found.outcome
            credentials[at] = replace(one, outcome=outcome, proof=found.proof)
    return replace(view, credentials=tuple(credentials))


def _judged(view: RotationView, now: datetime) -> RotationView:
    """Return the view with the health of all of it, in which nothing contradicts `job_safe`."""
    if view.outcome == "paused":
        return view
    worst = Health.AMBER if view.job_safe else Health.RED
    credentials = tuple(
        replace(one, health=_credential_health(one, now, worst)) for one in view.credentials
    )
    targets = tuple(replace(one, health=_target_health(one, now, worst)) for one in view.targets)
    healths = {one.health for one in credentials} | {one.health for one in targets}
    fresh = view.outcome in {"rotated", "fresh"} and healths <= FINE and view.failure is None
    health = Health.GREEN if fresh and view.job_safe else worst
    return replace(view, credentials=credentials, targets=targets, health=health)


def _credential_health(one: CredentialView, now: datetime, worst: Health) -> Health | None:
    if one.outcome is None:
        return None if one.failure is None else worst
    if one.outcome in GOOD_CREDENTIAL and one.proof != "rejected":
        return Health.GREEN
    if one.outcome == "pending":
        return Health.AMBER
    alive = one.fingerprint is not None and (one.expires_at is None or one.expires_at > now)
    return Health.AMBER if alive and one.proof != "rejected" else worst


def _target_health(one: TargetView, now: datetime, worst: Health) -> Health | None:
    differs = one.found is not None and one.found.differs
    if one.outcome == "paused" or (one.outcome is None and not differs and one.failure is None):
        return None
    is_unsafe = one.failure is not None and (one.outcome is None or one.outcome in GOOD_TARGET)
    if one.end is None or one.end <= now or is_unsafe:
        return worst
    return Health.GREEN if one.outcome in GOOD_TARGET and not differs else Health.AMBER


def _reported(failure: Failure | None) -> FailureView | None:
    if failure is None:
        return None
    return FailureView(str(failure.reason), failure.detail, failure.hint)
