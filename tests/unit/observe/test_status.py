"""How rotations stand, from records and reports."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from rotator.core.record import Record
from rotator.core.report import CredentialReport, Report, TargetReport
from rotator.core.rotation import FOREVER
from rotator.observe.status import Status, overall, rotation_status
from rotator.observe.status_json import as_json
from tests.support import NOW
from tests.unit.observe.standing import (
    ECR,
    FILE,
    HARBOR,
    HINT,
    NEVER_RAN,
    STATUS,
    TROUBLED,
    VARIABLE,
    WELL,
    hours,
    settings,
    stand,
)


def test_well() -> None:
    """A record of a good cycle: everything fresh, safe, with its times."""
    status = stand(WELL)
    assert (status.good, status.job_safe, status.safe_until) == (True, True, NOW + hours(4))
    assert [(c.registry, c.outcome, c.proof) for c in status.credentials] == [
        (ECR, "fresh", None),
        (HARBOR, "fresh", None),
    ]
    assert status.credentials[0].shares(NOW) == (5 / 12, 0.5)
    assert status.credentials[1].shares(NOW) is None
    assert [(t.name, t.outcome, t.expires_at) for t in status.targets] == [
        (FILE, "unchanged", NOW + hours(7)),
        (VARIABLE, "unchanged", NOW + hours(7)),
    ]
    assert list(status.troubles()) == []


def test_in_trouble() -> None:
    """A source that fails keeps its credential while that lives; each trouble is told once."""
    status = stand(TROUBLED)
    assert (status.good, status.job_safe) == (False, False)
    assert [c.outcome for c in status.credentials] == ["fresh", "failed"]
    assert [(names, t.reason) for names, t in status.troubles()] == [
        (HARBOR, "login_rejected"),
        (FILE, "no_space"),
    ]
    alive = replace(WELL, sources=TROUBLED.sources)
    assert [c.outcome for c in stand(alive).credentials] == ["fresh", "kept"]


def test_safety_is_that_of_now() -> None:
    """What was job-safe when its cycle ended is not for ever: the moment of asking counts."""
    assert stand(WELL).job_safe
    late = rotation_status(settings(), WELL, NOW + hours(5))
    assert not late.job_safe
    assert late.credentials[0].outcome == "fresh"
    assert rotation_status(settings(), WELL, NOW + hours(8)).credentials[0].outcome == "failed"


def test_nothing_ends() -> None:
    """Where nothing has an end, it is safe, and there is no time to tell."""
    status = stand(replace(WELL, safe_until=FOREVER))
    assert (status.job_safe, status.safe_until) == (True, None)


def test_never_ran() -> None:
    """Before the first cycle there is no outcome, and nobody knows the registries."""
    status = rotation_status(NEVER_RAN, Record(), NOW)
    assert (status.outcome, status.job_safe, status.ended_at) == (None, False, None)
    assert [(c.registry, c.outcome, c.name) for c in status.credentials] == [
        (None, None, "(what ecr serves)")
    ]
    assert {t.outcome for t in status.targets} == {None}


def test_paused() -> None:
    """A paused rotation is meant to be so: no next cycle, and not among the unsafe."""
    status = stand(TROUBLED, enabled=False)
    assert (status.outcome, status.next_at, status.good) == ("paused", None, True)
    assert not any(credential.renew_at for credential in status.credentials)
    assert Status(NOW, "running", (status,)).unsafe == ()
    one_target = settings(targets=[{"type": "file", "path": "/a", "enabled": False}])
    assert rotation_status(one_target, WELL, NOW).targets[0].outcome == "paused"


def test_a_fetch_under_way_is_no_failure() -> None:
    """While a source is asked its record says that it failed, in case nobody comes back."""
    vault = TROUBLED.sources["vault"]
    assert WELL.ended_at is not None
    asking = replace(vault, attempted_at=WELL.ended_at + hours(0.01))
    status = stand(replace(WELL, sources={**WELL.sources, "vault": asking}))
    assert [c.outcome for c in status.credentials] == ["fresh", "fresh"]
    assert list(status.troubles()) == []


def report(**changes: object) -> Report:
    """Return the report of the cycle that made the record WELL."""
    assert WELL.started_at is not None
    whole = Report(
        name="dind",
        outcome="fresh",
        job_safe=True,
        safe_until=WELL.safe_until,
        started_at=WELL.started_at,
        duration_seconds=0.2,
        next_at=WELL.next_at,
        credentials=(
            CredentialReport(ECR, "ecr", "fetched", "accepted", NOW + hours(7)),
            CredentialReport(HARBOR, "vault", "rejected", "rejected"),
        ),
        targets=(TargetReport(FILE, "unchanged", notes=("a note",)),),
        notes=("another",),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def test_a_report_of_the_same_cycle_adds_to_it() -> None:
    """Proofs, outcomes and notes are in no record."""
    status = rotation_status(settings(), WELL, NOW, report())
    assert [(c.outcome, c.proof) for c in status.credentials] == [
        ("fetched", "accepted"),
        ("rejected", "rejected"),
    ]
    assert status.notes == ("another", "a note")


def test_a_report_of_another_cycle_counts_for_nothing() -> None:
    """Somebody ran `run-once` since: the record is newer than the daemon's report."""
    old = report(started_at=NOW - hours(1))
    assert rotation_status(settings(), WELL, NOW, old) == rotation_status(settings(), WELL, NOW)


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
    assert overall([stand(record) for record in records]) == verdict


def test_json() -> None:
    """The document has a report's names, says the hints, and is JSON through and through."""
    document = json.loads(json.dumps(as_json(STATUS)))
    assert (document["daemon"], document["at"]) == ("running", "2026-11-23T10:00:00Z")
    first, second, new, paused = document["rotations"]
    assert first["credentials"][0] == {
        "registry": ECR,
        "source": "ecr",
        "outcome": "fresh",
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
