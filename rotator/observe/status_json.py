"""The status as JSON, for `rotator status --json` and `/api/status`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rotator.core.report import iso

if TYPE_CHECKING:
    from rotator.observe.view_model import FailureView, Found, RotationView, View


def as_json(view: View) -> dict[str, Any]:
    """Return the document; its names are those of a cycle's report, and more."""
    rotations = [_rotation_json(rotation) for rotation in view.rotations]
    return {**fields(view, "at daemon health"), "rotations": rotations}


def fields(one: object, names: str) -> dict[str, Any]:
    """Return the fields with these names as JSON has them."""
    values = {name: getattr(one, name) for name in names.split()}
    return {name: iso(v) if isinstance(v, datetime) else v for name, v in values.items()}


def _rotation_json(rotation: RotationView) -> dict[str, Any]:
    return {
        **fields(rotation, "name outcome health in_cycle job_safe safe_until started_at ended_at"),
        **fields(rotation, "succeeded_at next_at"),
        "longest_job_seconds": rotation.longest_job,
        "credentials": [
            {
                **fields(c, "registry source outcome health proof issued_at renew_at expires_at"),
                "fingerprint": c.fingerprint,
                **_failure_json(c.failure),
            }
            for c in rotation.credentials
        ],
        "targets": [
            {
                **fields(t, "name outcome health expires_at written_at fingerprint"),
                **_failure_json(t.failure),
                **({} if t.objects is None else fields(t, "objects failing")),
                **({} if t.found is None else {"live": _found_json(t.found)}),
            }
            for t in rotation.targets
        ],
        "notes": list(rotation.notes),
        **reason_json(rotation.failure),
    }


def reason_json(failure: FailureView | None) -> dict[str, Any]:
    """Return what went wrong and what to do; null where nothing did."""
    return {name: failure and getattr(failure, name) for name in ("reason", "detail", "hint")}


def _failure_json(failure: FailureView | None) -> dict[str, Any]:
    return {
        **reason_json(failure),
        "failures": failure.count if failure else 0,
        "failing_since": iso(failure.since) if failure else None,
        "retry_at": iso(failure.retry_at) if failure else None,
    }


def _found_json(found: Found) -> dict[str, Any]:
    differing = [{"name": name, **_found_json(one)} for name, one in found.differing]
    return {
        **({} if found.objects is None else {"objects": found.objects, "differing": differing}),
        **fields(found, "mark reason detail hint"),
        "entries": [fields(entry, "registry entry expires_at") for entry in found.entries],
    }
