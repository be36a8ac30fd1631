"""How the rotations stand: one model for the table, for JSON, for the page and for the gauges.

It is made from the configuration and each rotation's record, so it can be had while the daemon
runs and when it is dead. Where there is a report of the same cycle, it adds what no record keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rotator.core.candidate import FOREVER
from rotator.core.report import GOOD_CREDENTIAL, GOOD_TARGET

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from rotator.config.schema import RotationSettings
    from rotator.config.target_common import TargetSettings
    from rotator.core.record import FailureRecord, Record
    from rotator.core.report import Report

RUNNING, STOPPED, UNKNOWN = "running", "stopped", "unknown"
"""What is known of the daemon."""

_GOOD_ROTATION = frozenset({"rotated", "fresh", "paused"})


class CredentialStatus(Struct, frozen=True):
    """One registry's credential; `registry` is None where its source never told which it serves.

    `outcome` is None before the first cycle. `proof` is None where only the journal was read.
    """

    registry: str | None
    source: str
    outcome: str | None
    proof: str | None = None
    issued_at: datetime | None = None
    renew_at: datetime | None = None
    expires_at: datetime | None = None
    fingerprint: str | None = None
    trouble: FailureRecord | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self.registry or f"(what {self.source} serves)"

    @property
    def good(self) -> bool:
        """Tell whether it is as it should be."""
        return self.outcome in GOOD_CREDENTIAL

    def shares(self, now: datetime) -> tuple[float, float | None] | None:
        """Return which share of its life is spent, and at which share it is renewed.

        None where it has no known end, or there is none.
        """
        if self.issued_at is None or self.expires_at is None or self.expires_at <= self.issued_at:
            return None
        whole = self.expires_at - self.issued_at
        renewal = (self.renew_at - self.issued_at) / whole if self.renew_at else None
        return min(max((now - self.issued_at) / whole, 0.0), 1.0), renewal


class EntryFound(Struct, frozen=True):
    """What stands in a target for one registry.

    `entry`: `current` (what rotator published last) · `older` (it published that before) ·
    `foreign` · `missing` · `withheld` (the target does not show it).
    """

    registry: str
    entry: str
    expires_at: datetime | None = None


class Found(Struct, frozen=True):
    """What a target held when it was looked at: entries, or why it could not be read.

    `mark` tells whose mark is on it: `ours` · `foreign` · None where there is none.
    """

    entries: tuple[EntryFound, ...] = ()
    mark: str | None = None
    reason: str | None = None
    detail: str | None = None
    hint: str | None = None


class TargetStatus(Struct, frozen=True):
    """One target, and what it should hold.

    `end` is the earliest end of the rotation's entries in it: `FOREVER` where none ends, None where
    one of them does not work. `fingerprint` names the document written last. `found`: what is there
    now, where it was looked at.
    """

    name: str
    outcome: str | None
    end: datetime | None = None
    written_at: datetime | None = None
    fingerprint: str | None = None
    trouble: FailureRecord | None = None
    found: Found | None = None

    @property
    def good(self) -> bool:
        """Tell whether it holds what it should."""
        return self.outcome in GOOD_TARGET

    @property
    def expires_at(self) -> datetime | None:
        """When the first of its entries ends; None where none does, or one does not work."""
        return None if self.end == FOREVER else self.end


class RotationStatus(Struct, frozen=True):
    """One rotation. `outcome` is None before its first cycle; `safe_until` as in a report."""

    name: str
    outcome: str | None
    job_safe: bool
    safe_until: datetime | None
    longest_job: float
    started_at: datetime | None
    ended_at: datetime | None
    succeeded_at: datetime | None
    next_at: datetime | None
    credentials: tuple[CredentialStatus, ...]
    targets: tuple[TargetStatus, ...]
    notes: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Tell whether everything of it is published and fresh."""
        return self.outcome == "paused" or (self.outcome in _GOOD_ROTATION and self.job_safe)

    def troubles(self) -> Iterable[tuple[str, FailureRecord]]:
        """Yield each trouble once, with the names of what it befell."""
        befell: dict[FailureRecord, list[str]] = {}
        for credential in self.credentials:
            if credential.trouble is not None:
                befell.setdefault(credential.trouble, []).append(credential.name)
        for target in self.targets:
            if target.trouble is not None:
                befell.setdefault(target.trouble, []).append(target.name)
        return ((", ".join(names), trouble) for trouble, names in befell.items())


class Status(Struct, frozen=True):
    """How everything stands at one moment; `daemon` is `running`, `stopped` or `unknown`."""

    at: datetime
    daemon: str
    rotations: tuple[RotationStatus, ...]

    @property
    def unsafe(self) -> tuple[RotationStatus, ...]:
        """The rotations whose jobs may lose their registries; paused ones are meant to be so."""
        return tuple(r for r in self.rotations if not r.job_safe and r.outcome != "paused")


def rotation_status(
    settings: RotationSettings, record: Record, now: datetime, report: Report | None = None
) -> RotationStatus:
    """Return how a rotation stands, from its record; a report counts if it is of the same cycle."""
    if report is not None and report.started_at != record.started_at:
        report = None
    safe_until = record.safe_until
    status = RotationStatus(
        name=settings.name,
        outcome=(record.outcome or None) if settings.enabled else "paused",
        job_safe=safe_until is not None and safe_until > now,
        safe_until=None if safe_until == FOREVER else safe_until,
        longest_job=settings.longest_job.total_seconds(),
        started_at=record.started_at,
        ended_at=record.ended_at,
        succeeded_at=record.succeeded_at,
        next_at=record.next_at if settings.enabled else None,
        credentials=tuple(_credentials(settings, record, now)),
        targets=tuple(_target(target, settings, record) for target in settings.targets),
    )
    return status if report is None else _completed(status, report)


def _credentials(
    settings: RotationSettings, record: Record, now: datetime
) -> Iterable[CredentialStatus]:
    for source in settings.sources:
        past = record.source(source.name)
        trouble = past.failure
        if past.attempted_at and record.ended_at and past.attempted_at > record.ended_at:
            trouble = None  # it is being asked; until it answers, that is recorded as a failure
        served: list[str | None] = [*sorted(source.known_registries() or past.registries)]
        for registry in served or [None]:
            known = next(iter(record.credentials.get(registry or "", ())), None)
            if known is None:
                outcome = None if past.attempted_at is None else "failed"
                yield CredentialStatus(registry, source.name, outcome, trouble=trouble)
                continue
            alive = known.expires_at is None or known.expires_at > now
            yield CredentialStatus(
                registry=registry,
                source=source.name,
                outcome=("fresh" if trouble is None else "kept") if alive else "failed",
                issued_at=known.issued_at,
                renew_at=known.renew_at if settings.enabled else None,
                expires_at=known.expires_at,
                fingerprint=known.fingerprint,
                trouble=trouble,
            )


def _target(target: TargetSettings, settings: RotationSettings, record: Record) -> TargetStatus:
    past = record.target(target.target_name)
    if not (settings.enabled and target.enabled):
        outcome: str | None = "paused"
    else:
        # A read that came too soon after a write told nothing else than the write.
        outcome = "written" if past.outcome == "stale" else past.outcome or None
    return TargetStatus(
        name=target.target_name,
        outcome=outcome,
        end=past.end,
        written_at=past.written_at,
        fingerprint=past.written or None,
        trouble=past.failure,
    )


def _completed(status: RotationStatus, report: Report) -> RotationStatus:
    """Return the status with what only the report of its last cycle tells."""
    told = {(c.source, c.registry): c for c in report.credentials}
    credentials = []
    for credential in status.credentials:
        found = told.get((credential.source, credential.registry))
        if found is not None:
            # One that has ended since is no longer what the cycle said of it.
            ended = credential.outcome == "failed"
            outcome = credential.outcome if ended else found.outcome
            credential = replace(credential, outcome=outcome, proof=found.proof)  # noqa: PLW2901
        credentials.append(credential)
    notes = (*report.notes, *(note for target in report.targets for note in target.notes))
    return replace(status, credentials=tuple(credentials), notes=tuple(dict.fromkeys(notes)))


def overall(rotations: Sequence[RotationStatus]) -> str:
    """Return `good`, `partial` or `bad`: for exit codes, over all rotations that are not paused."""
    active = [rotation for rotation in rotations if rotation.outcome != "paused"]
    if all(rotation.good for rotation in active):
        return "good"
    failed = [r for r in active if not r.job_safe and r.outcome in {"failed", None}]
    return "bad" if len(failed) == len(active) else "partial"
