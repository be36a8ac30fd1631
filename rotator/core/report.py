"""What one cycle did. Logs, metrics, status and `--json` are all made from this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rotator.core.errors import DriverError, GoneError, PermanentError, Reason, TemporaryError
from rotator.core.rotation import DEAD, FOREVER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rotator.core.record import Trouble
    from rotator.core.view import Change

GOOD_CREDENTIAL = frozenset({"fetched", "fresh"})
GOOD_TARGET = frozenset({"written", "unchanged", "planned", "paused"})


class Problem(Struct, frozen=True):
    """Why something failed: the reason's one word, what happened, and what to do.

    `permanent`: waiting does not help. `retry_after`: the seconds that the other side asked for.
    `gone`: what a target held is there no more. `bug`: the exception that nobody meant to raise,
    kept for its traceback.
    """

    reason: Reason
    detail: str
    hint: str
    permanent: bool = False
    retry_after: float | None = None
    gone: bool = False
    bug: Exception | None = None

    @classmethod
    def before(cls, trouble: Trouble) -> Problem:
        """Return the problem of an earlier cycle, as the journal kept it."""
        return cls(Reason(trouble.reason), trouble.detail, trouble.hint, trouble.permanent)

    @classmethod
    def of(cls, error: Exception) -> Problem:
        """Return the problem that an error tells; an error nobody meant to raise is a bug."""
        if isinstance(error, DriverError):
            asked = error.retry_after if isinstance(error, TemporaryError) else None
            permanent = isinstance(error, PermanentError)
            gone = isinstance(error, GoneError)
            return cls(error.reason, error.detail, error.hint, permanent, asked, gone)
        return cls(
            Reason.BUG,
            f"rotator itself failed with {type(error).__name__}",
            "report this with the traceback from the log; nothing was written",
            bug=error,
        )


class CredentialReport(Struct, frozen=True):
    """One registry; `registry` is None where the source never told which it serves."""

    registry: str | None
    source: str
    outcome: str
    proof: str
    expires_at: datetime | None = None
    fingerprint: str | None = None
    problem: Problem | None = None


class SourceReport(Struct, frozen=True):
    """One source that was asked: how long it took, and its problem if it had one."""

    name: str
    seconds: float
    problem: Problem | None = None


class TargetReport(Struct, frozen=True):
    """One target; `changes` are the entries that were written (or would be, in a dry run)."""

    name: str
    outcome: str
    expires_at: datetime | None = None
    seconds: float = 0.0
    problem: Problem | None = None
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()


class Report(Struct, frozen=True):
    """One cycle of one rotation. `safe_until` is None where it never ends or was never safe."""

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
        """Return the report as `--json` prints it."""
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
                    **_problem_json(c.problem),
                }
                for c in self.credentials
            ],
            "targets": [
                {
                    "name": t.name,
                    "outcome": t.outcome,
                    "expires_at": iso(t.expires_at),
                    **_problem_json(t.problem),
                    "notes": list(t.notes),
                }
                for t in self.targets
            ],
            "notes": list(self.notes),
        }


def iso(moment: datetime | None) -> str | None:
    """Return a time as `2026-11-23T10:00:00Z`."""
    if moment is None:
        return None
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def outcome_of(credentials: Iterable[CredentialReport], targets: Iterable[TargetReport]) -> str:
    """Return a cycle's outcome: `failed` where no registry or no target is good."""
    logins = [c.outcome in GOOD_CREDENTIAL for c in credentials]
    places = [t.outcome in GOOD_TARGET for t in targets]
    if not any(logins) or (places and not any(places)):
        return "failed"
    if not (all(logins) and all(places)):
        return "partial"
    moved = any(c.outcome == "fetched" for c in credentials) or any(
        t.outcome in {"written", "planned"} for t in targets
    )
    return "rotated" if moved else "fresh"


def earliest(ends: Iterable[datetime]) -> datetime | None:
    """Return the first known end; None where nothing ends or nothing is there."""
    return min((end for end in ends if end not in {DEAD, FOREVER}), default=None)


def _problem_json(problem: Problem | None) -> dict[str, str | None]:
    if problem is None:
        return {"reason": None, "detail": None, "hint": None}
    return {"reason": str(problem.reason), "detail": problem.detail, "hint": problem.hint}
