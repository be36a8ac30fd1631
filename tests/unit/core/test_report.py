"""The report: outcomes as users know them, and JSON that scripts can rely on."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from rotator.core.candidate import DEAD, FOREVER
from rotator.core.errors import Reason
from rotator.core.failure import Failure
from rotator.core.report import (
    CredentialReport,
    Report,
    TargetReport,
    earliest,
    iso,
    outcome_of,
)
from tests.support import NOW
from tests.unit.core.builders import HOST

END = NOW + timedelta(hours=12)


@pytest.mark.parametrize(
    ("credentials", "targets", "expected"),
    [
        ("fetched", "written", "rotated"),
        ("fetched", "unchanged", "rotated"),
        ("fresh", "written", "rotated"),
        ("fresh", "planned", "rotated"),
        ("fresh", "unchanged", "fresh"),
        ("fresh", "paused", "fresh"),
        ("fresh", "", "fresh"),
        ("fresh kept", "unchanged", "partial"),
        ("fetched rejected", "written", "partial"),
        ("fetched", "written failed", "partial"),
        ("fetched", "written held_back", "partial"),
        ("fresh", "unchanged paused", "fresh"),
        ("kept", "unchanged", "failed"),
        ("failed rejected", "unchanged", "failed"),
        ("fetched", "failed", "failed"),
        ("fetched", "held_back", "failed"),
        ("", "unchanged", "failed"),
        ("pending", "held_back", "partial"),
        ("pending", "unchanged", "partial"),
        ("pending fetched", "written", "partial"),
        ("pending", "failed", "failed"),
        ("pending rejected", "failed held_back", "partial"),
    ],
)
def test_an_outcome_tells_the_whole_rotation(credentials: str, targets: str, expected: str) -> None:
    """Good, partly good, or nothing good at all."""
    logins = [
        CredentialReport(HOST, "vault", outcome, "accepted") for outcome in credentials.split()
    ]
    places = [TargetReport("file", outcome) for outcome in targets.split()]
    assert outcome_of(logins, places) == expected


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([], None),
        ([FOREVER], None),
        ([DEAD], None),
        ([FOREVER, END, END + timedelta(1)], END),
        ([DEAD, END], END),
    ],
)
def test_a_target_ends_with_its_first_entry(ends: list[object], expected: object) -> None:
    """What never ends, and what does not work, has no end to tell."""
    assert earliest(ends) == expected  # type: ignore[arg-type]


def test_json_is_what_scripts_rely_on() -> None:
    """Every name of the contract is there, and times are RFC 3339 in UTC."""
    problem = Failure(Reason.FORBIDDEN, "403 at vault", "ask for the policy", permanent=True)
    report = Report(
        name="dind",
        outcome="partial",
        job_safe=True,
        safe_until=END,
        started_at=NOW,
        duration_seconds=0.21049,
        next_at=None,
        credentials=(
            CredentialReport(HOST, "ecr", "fetched", "accepted", END, "hmac:3f9a2c41d7e0"),
        ),
        targets=(TargetReport("file:/x", "failed", failure=problem, notes=("mind this",)),),
        notes=("and this",),
    )
    assert json.loads(json.dumps(report.as_json())) == {
        "name": "dind",
        "outcome": "partial",
        "job_safe": True,
        "safe_until": "2026-11-23T22:00:00Z",
        "started_at": "2026-11-23T10:00:00Z",
        "duration_seconds": 0.21,
        "next_at": None,
        "credentials": [
            {
                "registry": HOST,
                "source": "ecr",
                "outcome": "fetched",
                "proof": "accepted",
                "expires_at": "2026-11-23T22:00:00Z",
                "fingerprint": "hmac:3f9a2c41d7e0",
                "reason": None,
                "detail": None,
                "hint": None,
            }
        ],
        "targets": [
            {
                "name": "file:/x",
                "outcome": "failed",
                "expires_at": None,
                "reason": "forbidden",
                "detail": "403 at vault",
                "hint": "ask for the policy",
                "notes": ["mind this"],
            }
        ],
        "notes": ["and this"],
    }


def test_a_time_that_is_not_there_is_null() -> None:
    """And one that is, has seconds and a Z."""
    assert iso(None) is None
    assert iso(NOW) == "2026-11-23T10:00:00Z"
