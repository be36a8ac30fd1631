"""What every renderer shows: table, log line, JSON, page and gauges. `view` makes it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core.candidate import FOREVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

RUNNING, STOPPED, UNKNOWN = "running", "stopped", "unknown"
"""What is known of the daemon."""


class Health(StrEnum):
    """How good a thing is: the same three states in table, page, JSON, metrics and exit codes.

    green: job-safe, and everything is fresh. amber: job-safe, and something needs attention before
    `safe_until`. red: a job that starts now may lose its registries.
    """

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


FINE = frozenset({Health.GREEN, None})
"""What needs no attention; None: it is paused, or nothing is known yet."""


class FailureView(Struct, frozen=True):
    """What went wrong, and what to do. A single cycle knows no `count`, `since` and `retry_at`."""

    reason: str
    detail: str
    hint: str
    count: int = 0
    since: datetime | None = None
    retry_at: datetime | None = None


class CredentialView(Struct, frozen=True):
    """One registry's credential; `registry` is None while its source's registries are not known.

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
    failure: FailureView | None = None
    health: Health | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self.registry or f"(registries of {self.source})"

    title = name

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
    """What is in a target for one registry.

    `entry`: `current` (what rotator published last) · `older` (it published that before) ·
    `foreign` · `missing` · `withheld` (the target does not show it).
    """

    registry: str
    entry: str
    expires_at: datetime | None = None


class Found(Struct, frozen=True):
    """What a target held when it was read: its entries, or why it could not be read.

    `mark` says whose mark is on it: `ours` · `foreign` · None where there is none. `gone`: it could
    not be read, and jobs can't read it either. `objects`: how many were read, where it stands for
    many; `differing`: those of them that differ, by name.
    """

    entries: tuple[EntryFound, ...] = ()
    mark: str | None = None
    reason: str | None = None
    detail: str | None = None
    hint: str | None = None
    gone: bool = False
    objects: int | None = None
    differing: tuple[tuple[str, Found], ...] = ()

    @property
    def differs(self) -> bool:
        """Tell whether it is not what was published last, as far as the target shows it."""
        return (
            self.reason is not None
            or bool(self.differing)
            or any(one.entry not in {"current", "withheld"} for one in self.entries)
        )

    @property
    def lacks(self) -> bool:
        """Tell whether an entry is not there for a job that starts now."""
        return (
            self.gone
            or any(one.entry == "missing" for one in self.entries)
            or any(one.lacks for _, one in self.differing)
        )


class TargetView(Struct, frozen=True):
    """One target, and what it should hold.

    `end` is the earliest end of the rotation's entries in it: `FOREVER` where none ends, None where
    one of them does not work, or nobody knows. `fingerprint` names the document written last.
    `found`: what is there now, where it was read. `objects`: how many it stands for, if it
    stands for many, of which so many are `failing`; the rest is that of the worst of them.
    """

    name: str
    outcome: str | None
    end: datetime | None = None
    written_at: datetime | None = None
    fingerprint: str | None = None
    failure: FailureView | None = None
    found: Found | None = None
    health: Health | None = None
    objects: int | None = None
    failing: int = 0

    @property
    def title(self) -> str:
        """What people call it."""
        if self.objects is None:
            return self.name
        failing = f", {self.failing} of them failing" if self.failing else ""
        return f"{self.name} ({self.objects} objects{failing})"

    @property
    def expires_at(self) -> datetime | None:
        """When the first of its entries ends; None where none does, or one does not work."""
        return None if self.end == FOREVER else self.end


class RotationView(Struct, frozen=True):
    """One rotation. `outcome` is None before its first cycle; `safe_until` as in a report.

    `failure`: what is wrong with it as a whole. `in_cycle`: a cycle of it runs now. `health` is
    None where it is paused. `longest_job` and the times are those of its record: the view of one
    cycle alone has none.
    """

    name: str
    outcome: str | None
    job_safe: bool
    safe_until: datetime | None
    credentials: tuple[CredentialView, ...]
    targets: tuple[TargetView, ...]
    notes: tuple[str, ...]
    longest_job: float | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    succeeded_at: datetime | None = None
    next_at: datetime | None = None
    in_cycle: bool = False
    health: Health | None = None
    failure: FailureView | None = None

    def failures(self) -> Iterable[tuple[str, FailureView]]:
        """Yield each failure once, with the names of what failed by it; first the rotation's."""
        names: dict[FailureView, list[str]] = {}
        parts: tuple[CredentialView | TargetView, ...] = (*self.credentials, *self.targets)
        all_of_them: tuple[RotationView | CredentialView | TargetView, ...] = (self, *parts)
        for one in all_of_them:
            if one.failure is not None:
                names.setdefault(one.failure, []).append(one.name)
        return ((", ".join(several), failure) for failure, several in names.items())


class View(Struct, frozen=True):
    """All rotations at one time; `daemon` is `running`, `stopped` or `unknown`."""

    at: datetime
    daemon: str
    rotations: tuple[RotationView, ...]

    @property
    def unsafe(self) -> tuple[RotationView, ...]:
        """The rotations whose jobs may lose their registries; paused ones are meant to be so."""
        return tuple(one for one in self.rotations if one.health is Health.RED)

    @property
    def health(self) -> Health:
        """The worst of them; red where there is none yet."""
        found = {one.health for one in self.rotations if one.health is not None}
        if not self.rotations or Health.RED in found:
            return Health.RED
        return Health.AMBER if Health.AMBER in found else Health.GREEN


def overall(rotations: Sequence[RotationView]) -> str:
    """Return `good`, `partial` or `bad`: for exit codes, over all rotations that are not paused."""
    active = [rotation for rotation in rotations if rotation.outcome != "paused"]
    if all(rotation.health is Health.GREEN for rotation in active):
        return "good"
    failed = [r for r in active if not r.job_safe and r.outcome in {"failed", None}]
    return "bad" if len(failed) == len(active) else "partial"
