"""Makes the view of a rotation: the one place that reads a record and a report for people.

It needs the rotation's settings, its record and, where there is one, the report of its last cycle.
So it is the same while the daemon runs and when it is dead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core.candidate import FOREVER
from rotator.core.report import GOOD_CREDENTIAL, GOOD_TARGET, all_notes
from rotator.core.schedule import is_ahead
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
    from rotator.core.record import FailureRecord, Record, TargetRecord
    from rotator.core.report import Report
    from rotator.observe.view_model import Found

# Members of a target that stands for many which are shown by name.
_WORST = 5

_CLOCK_BACK = "the clock went back since the last cycle: no end is known until the next one"


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
    # Ends that a clock noted which was ahead are later than they are.
    was_ahead = record.ended_at is not None and is_ahead(record.ended_at, now)
    safe_until = None if was_ahead else record.safe_until
    view = RotationView(
        name=settings.name,
        outcome=(record.outcome or None) if settings.enabled else "paused",
        job_safe=safe_until is not None and safe_until > now,
        safe_until=None if safe_until == FOREVER else safe_until,
        longest_job=settings.longest_job.total_seconds(),
        started_at=record.started_at,
        ended_at=record.ended_at,
        succeeded_at=record.succeeded_at,
        next_at=record.next_at if settings.enabled else None,
        credentials=tuple(_credentials(settings, record, now, asked)),
        targets=tuple(_targets(settings, record)),
        notes=(*record.notes, *([_CLOCK_BACK] if was_ahead else [])),
        in_cycle=bool(asked),
    )
    return _judged(view if report is None else _completed(view, report), now)


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


def report_view(report: Report, now: datetime) -> RotationView:
    """Return the view of one cycle alone, as `run-once` shows it, also after a dry run."""
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
        targets=tuple(_reported_targets(report)),
        notes=all_notes(report.notes, report.targets),
    )
    return _judged(view, now)


def _is_asked(record: Record, source: str) -> bool:
    """Tell whether a source was asked after the last cycle had ended: its answer is not there."""
    attempted_at = record.source(source).attempted_at
    return attempted_at is not None and (record.ended_at is None or attempted_at > record.ended_at)


def _credentials(
    settings: RotationSettings, record: Record, now: datetime, asked: Sequence[str]
) -> Iterable[CredentialView]:
    for source in settings.sources:
        past = record.source(source.name)
        failure = None if source.name in asked else _recorded(past.failure)
        registries: list[str | None] = [*sorted(source.known_registries() or past.registries)]
        for registry in registries or [None]:
            known = next(iter(record.credentials.get(registry or "", ())), None)
            if known is None:
                began = past.attempted_at is None or source.name in asked
                pending = record.pending.get(registry or "")
                waits = pending is not None and now < pending.since + settings.settle
                outcome = "pending" if waits else "failed"
                yield CredentialView(
                    registry, source.name, None if began else outcome, failure=failure
                )
                continue
            alive = known.expires_at is None or known.expires_at > now
            yield CredentialView(
                registry=registry,
                source=source.name,
                outcome=("fresh" if failure is None else "kept") if alive else "failed",
                issued_at=known.issued_at,
                renew_at=known.renew_at if settings.enabled else None,
                expires_at=known.expires_at,
                fingerprint=known.fingerprint,
                failure=failure,
            )


def _targets(settings: RotationSettings, record: Record) -> Iterable[TargetView]:
    """Yield every target; one that stands for many as one, and its worst by name."""
    for target in settings.targets:
        on, name = settings.enabled and target.enabled, target.target_name
        members = [
            _target(member, past, on=on)
            for member, past in record.targets.items()
            if past.group == name
        ]
        own = _target(name, record.target(name), on=on)
        whole, *failing = _together(name, members) if members else (own,)
        if own.failure is not None:  # its members could not be found
            whole = replace(whole, outcome=own.outcome, failure=own.failure)
        yield from (whole, *failing)


def _target(name: str, past: TargetRecord, *, on: bool) -> TargetView:
    # A read that came too soon after a write said nothing else than the write.
    outcome = "written" if past.outcome == "stale" else past.outcome or None
    return TargetView(
        name=name,
        outcome=outcome if on else "paused",
        end=past.end,
        written_at=past.written_at,
        fingerprint=past.written or None,
        failure=_recorded(past.failure),
    )


def _reported_targets(report: Report) -> Iterable[TargetView]:
    """Yield every target of a report; one that stands for many as one, and its worst by name."""
    groups: dict[str, list[TargetView]] = {}
    for one in report.targets:
        end = one.expires_at or (FOREVER if one.outcome in GOOD_TARGET else None)
        view = TargetView(one.name, one.outcome, end, failure=_reported(one.failure))
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
    fresh = view.outcome in {"rotated", "fresh"} and healths <= FINE
    health = Health.GREEN if fresh and view.job_safe else worst
    return replace(view, credentials=credentials, targets=targets, health=health)


def _credential_health(one: CredentialView, now: datetime, worst: Health) -> Health | None:
    if one.outcome is None:
        return None
    if one.outcome in GOOD_CREDENTIAL and one.proof != "rejected":
        return Health.GREEN
    if one.outcome == "pending":
        return Health.AMBER
    alive = one.fingerprint is not None and (one.expires_at is None or one.expires_at > now)
    return Health.AMBER if alive and one.proof != "rejected" else worst


def _target_health(one: TargetView, now: datetime, worst: Health) -> Health | None:
    differs = one.found is not None and one.found.differs
    if one.outcome == "paused" or (one.outcome is None and not differs):
        return None
    if one.end is None or one.end <= now:
        return worst
    return Health.GREEN if one.outcome in GOOD_TARGET and not differs else Health.AMBER


def _recorded(failure: FailureRecord | None) -> FailureView | None:
    if failure is None:
        return None
    return FailureView(
        failure.reason, failure.detail, failure.hint, failure.count, failure.since, failure.retry_at
    )


def _reported(failure: Failure | None) -> FailureView | None:
    if failure is None:
        return None
    return FailureView(str(failure.reason), failure.detail, failure.hint)
