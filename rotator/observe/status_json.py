"""The status as JSON: what `rotator status --json` prints and `/api/status` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rotator.core.report import iso

if TYPE_CHECKING:
    from rotator.core.record import FailureRecord
    from rotator.observe.status import Found, RotationStatus, Status


def as_json(status: Status) -> dict[str, Any]:
    """Return the document; its names are those of a cycle's report, and more."""
    return {
        "at": iso(status.at),
        "daemon": status.daemon,
        "rotations": [_rotation_json(rotation) for rotation in status.rotations],
    }


def _rotation_json(rotation: RotationStatus) -> dict[str, Any]:
    return {
        "name": rotation.name,
        "outcome": rotation.outcome,
        "job_safe": rotation.job_safe,
        "safe_until": iso(rotation.safe_until),
        "longest_job_seconds": rotation.longest_job,
        "started_at": iso(rotation.started_at),
        "ended_at": iso(rotation.ended_at),
        "succeeded_at": iso(rotation.succeeded_at),
        "next_at": iso(rotation.next_at),
        "credentials": [
            {
                "registry": c.registry,
                "source": c.source,
                "outcome": c.outcome,
                "proof": c.proof,
                "issued_at": iso(c.issued_at),
                "renew_at": iso(c.renew_at),
                "expires_at": iso(c.expires_at),
                "fingerprint": c.fingerprint,
                **_trouble_json(c.trouble),
            }
            for c in rotation.credentials
        ],
        "targets": [
            {
                "name": t.name,
                "outcome": t.outcome,
                "expires_at": iso(t.expires_at),
                "written_at": iso(t.written_at),
                "fingerprint": t.fingerprint,
                **_trouble_json(t.trouble),
                **({} if t.found is None else {"live": _found_json(t.found)}),
            }
            for t in rotation.targets
        ],
        "notes": list(rotation.notes),
    }


def _trouble_json(trouble: FailureRecord | None) -> dict[str, Any]:
    return {
        "reason": trouble and trouble.reason,
        "detail": trouble and trouble.detail,
        "hint": trouble and trouble.hint,
        "failures": trouble.count if trouble else 0,
        "failing_since": iso(trouble.since) if trouble else None,
        "retry_at": iso(trouble.retry_at) if trouble else None,
    }


def _found_json(found: Found) -> dict[str, Any]:
    return {
        "mark": found.mark,
        "entries": [
            {"registry": e.registry, "entry": e.entry, "expires_at": iso(e.expires_at)}
            for e in found.entries
        ],
        "reason": found.reason,
        "detail": found.detail,
        "hint": found.hint,
    }
