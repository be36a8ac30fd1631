"""How rotations stand, from reports; exit codes and JSON."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from rotator.core.record import Record
from rotator.observe.safety import Safety
from rotator.observe.status_json import as_json
from rotator.observe.view import report_view, rotation_view
from rotator.observe.view_model import Health, overall
from tests.support import NOW
from tests.unit.observe.viewed import report
from tests.unit.observe.views import ECR, HINT, TROUBLED, VIEW, WELL, hours, settings, view_of

SAFE = Safety(NOW, {}, None)


def test_a_cycle_alone() -> None:
    """What `run-once` shows comes from the report, in the same words and with the same health."""
    view = report_view(report(outcome="partial"), SAFE, NOW)
    assert (view.health, view.notes) == (Health.AMBER, ("another", "a note"))
    assert [(one.health, one.outcome) for one in view.credentials] == [
        (Health.GREEN, "fetched"),
        (Health.AMBER, "rejected"),
    ]
    assert report_view(report(job_safe=False), SAFE, NOW).health is Health.RED


def test_a_report_of_the_same_cycle_adds_to_it() -> None:
    """Proofs and outcomes are in no record; notes are."""
    status = rotation_view(settings(), replace(WELL, notes=("a note",)), NOW, report())
    assert [(c.outcome, c.proof) for c in status.credentials] == [
        ("fetched", "accepted"),
        ("rejected", "rejected"),
    ]
    assert status.notes == ("a note",)


def test_a_report_of_another_cycle_counts_for_nothing() -> None:
    """Somebody ran `run-once` since: the record is newer than the daemon's report."""
    old = report(started_at=NOW - hours(1))
    assert rotation_view(settings(), WELL, NOW, old) == rotation_view(settings(), WELL, NOW)


@pytest.mark.parametrize(
    ("records", "verdict"),
    [
        ([WELL], "good"),
        ([WELL, TROUBLED], "partial"),
        ([TROUBLED], "partial"),
        ([Record()], "bad"),
        ([replace(TROUBLED, outcome="failed")], "bad"),
        ([WELL, Record()], "partial"),
        ([], "good"),
    ],
    ids=["well", "one of two", "partial", "never ran", "failed", "one never ran", "none"],
)
def test_overall(records: list[Record], verdict: str) -> None:
    """The exit code says the worst of it, as that of `run-once` does."""
    assert overall([view_of(record) for record in records]) == verdict


def test_json() -> None:
    """The document has a report's names, says the hints, and is JSON through and through."""
    document = json.loads(json.dumps(as_json(VIEW)))
    assert (document["daemon"], document["at"]) == ("running", "2026-11-23T10:00:00Z")
    first, second, new, paused = document["rotations"]
    assert first["credentials"][0] == {
        "registry": ECR,
        "source": "ecr",
        "outcome": "fresh",
        "health": "green",
        "proof": None,
        "issued_at": "2026-11-23T05:00:00Z",
        "renew_at": "2026-11-23T11:00:00Z",
        "expires_at": "2026-11-23T17:00:00Z",
        "fingerprint": "hmac:3f9a2c41d7e0",
        "reason": None,
        "detail": None,
        "hint": None,
        "failures": 0,
        "failing_since": None,
        "retry_at": None,
    }
    assert second["credentials"][1]["hint"] == HINT
    assert second["credentials"][1]["failures"] == 4
    assert first["targets"][0]["fingerprint"] == "hmac:111122223333"
    assert "live" not in first["targets"][0]
    assert (new["outcome"], paused["outcome"]) == (None, "paused")
