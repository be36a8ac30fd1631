"""What one cycle did. Logs, metrics, status and `--json` are all made from this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rotator.core.candidate import DEAD, FOREVER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rotator.core.failure import Failure
    from rotator.core.situation import Change

GOOD_CREDENTIAL = frozenset({"fetched", "fresh"})
GOOD_TARGET = frozenset({"written", "unchanged", "planned", "paused"})
SUCCEEDED = frozenset({"rotated", "fresh"})


class CredentialReport(Struct, frozen=True):
    """One registry; `registry` is None where the source has yet to name it."""

    registry: str | None
    source: str
    outcome: str
    proof: str
    expires_at: datetime | None = None
    fingerprint: str | None = None
    failure: Failure | None = None


class SourceReport(Struct, frozen=True):
    """One source that was asked: how long it took, and its failure if it had one."""

    name: str
    seconds: float
    failure: Failure | None = None


class TargetReport(Struct, frozen=True):
    """One target; `changes` are the entries that were written (or would be, in a dry run).

    `step`: the step of the cycle that failed, `read`, `plan` or `write`; None where none did.
    """

    name: str
    outcome: str
    expires_at: datetime | None = None
    seconds: float = 0.0
    failure: Failure | None = None
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    group: str | None = None
    step: str | None = None


class Report(Struct, frozen=True):
    """One cycle of one rotation. `worth.py` decides until when jobs are safe.

    `safe_until` is None where they are not safe, or safe for ever.
    """

    name: str
    outcome: str
    job_safe: bool
    safe_until: datetime | None
    started_at: datetime
    duration_seconds: float
    next_at: datetime | None
    credentials: tuple[CredentialReport, ...] = ()
    sources: tuple[SourceReport, ...] = ()
    targets: tuple[TargetReport, ...] = ()
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the report as `--json` shows it."""
        return {
            "name": self.name,
            "outcome": self.outcome,
            "job_safe": self.job_safe,
            "safe_until": iso(self.safe_until),
            "started_at": iso(self.started_at),
            "duration_seconds": round(self.duration_seconds, 3),
            "next_at": iso(self.next_at),
            "credentials": [
                {
                    "registry": c.registry,
                    "source": c.source,
                    "outcome": c.outcome,
                    "proof": c.proof,
                    "expires_at": iso(c.expires_at),
                    "fingerprint": c.fingerprint,
                    **_failure_json(c.failure),
                }
                for c in self.credentials
            ],
            "targets": [
                {
                    "name": t.name,
                    "outcome": t.outcome,
                    "expires_at": iso(t.expires_at),
                    **_failure_json(t.failure),
                    "notes": list(t.notes),
                }
                for t in self.targets
            ],
            "notes": list(self.notes),
        }


def iso(time: datetime | None) -> str | None:
    """Return a time as `2026-11-23T10:00:00Z`."""
    if time is None:
        return None
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def outcome_of(credentials: Iterable[CredentialReport], targets: Iterable[TargetReport]) -> str:
    """Return a cycle's outcome: `failed` where no registry or no target is good.

    While a registry may still learn of a fetched credential, nothing has failed.
    """
    logins, places = {c.outcome for c in credentials}, {t.outcome for t in targets}
    waiting = {"pending"} & logins
    good_places = GOOD_TARGET | {"held_back"} if waiting else GOOD_TARGET
    if not logins & {*GOOD_CREDENTIAL, *waiting} or (places and not places & good_places):
        return "failed"
    if not (logins <= GOOD_CREDENTIAL and places <= GOOD_TARGET):
        return "partial"
    return "rotated" if "fetched" in logins or places & {"written", "planned"} else "fresh"


def all_notes(notes: Iterable[str], targets: Iterable[TargetReport]) -> tuple[str, ...]:
    """Return what is noted of a rotation and of its targets, each once."""
    return tuple(dict.fromkeys((*notes, *(note for one in targets for note in one.notes))))


def earliest(ends: Iterable[datetime]) -> datetime | None:
    """Return the first known end; None where nothing ends or nothing is there."""
    return min((end for end in ends if end not in {DEAD, FOREVER}), default=None)


def _failure_json(failure: Failure | None) -> dict[str, str | None]:
    if failure is None:
        return {"reason": None, "detail": None, "hint": None}
    return {"reason": str(failure.reason), "detail": failure.detail, "hint": failure.hint}
