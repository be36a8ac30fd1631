"""The status as JSON, for `rotator status --json` and `/api/status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rotator.core.report import iso

if TYPE_CHECKING:
    from rotator.observe.view_model import FailureView, Found, RotationView, View


def as_json(view: View) -> dict[str, Any]:
    """Return the document; its names are those of a cycle's report, and more."""
    return {
        "at": iso(view.at),
        "daemon": view.daemon,
        "health": view.health,
        "rotations": [_rotation_json(rotation) for rotation in view.rotations],
    }


def _rotation_json(rotation: RotationView) -> dict[str, Any]:
    return {
        "name": rotation.name,
        "outcome": rotation.outcome,
        "health": rotation.health,
        "in_cycle": rotation.in_cycle,
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
                "health": c.health,
                "proof": c.proof,
                "issued_at": iso(c.issued_at),
                "renew_at": iso(c.renew_at),
                "expires_at": iso(c.expires_at),
                "fingerprint": c.fingerprint,
                **_failure_json(c.failure),
            }
            for c in rotation.credentials
        ],
        "targets": [
            {
                "name": t.name,
                "outcome": t.outcome,
                "health": t.health,
                "expires_at": iso(t.expires_at),
                "written_at": iso(t.written_at),
                "fingerprint": t.fingerprint,
                **_failure_json(t.failure),
                **({} if t.objects is None else {"objects": t.objects, "failing": t.failing}),
                **({} if t.found is None else {"live": _found_json(t.found)}),
            }
            for t in rotation.targets
        ],
        "notes": list(rotation.notes),
    }


def _failure_json(failure: FailureView | None) -> dict[str, Any]:
    return {
        "reason": failure and failure.reason,
        "detail": failure and failure.detail,
        "hint": failure and failure.hint,
        "failures": failure.count if failure else 0,
        "failing_since": iso(failure.since) if failure else None,
        "retry_at": iso(failure.retry_at) if failure else None,
    }


def _found_json(found: Found) -> dict[str, Any]:
    many = (
        {}
        if found.objects is None
        else {
            "objects": found.objects,
            "differing": [{"name": name, **_found_json(one)} for name, one in found.differing],
        }
    )
    return {
        **many,
        "mark": found.mark,
        "entries": [
            {"registry": e.registry, "entry": e.entry, "expires_at": iso(e.expires_at)}
            for e in found.entries
        ],
        "reason": found.reason,
        "detail": found.detail,
        "hint": found.hint,
    }
