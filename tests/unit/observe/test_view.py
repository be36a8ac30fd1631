"""How rotations stand, from records."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rotator.core.candidate import FOREVER
from rotator.core.record import FailureRecord, PendingCredential, Record, SourceRecord
from rotator.observe import phrases
from rotator.observe.phrases import headline
from rotator.observe.view import rotation_view, with_found
from rotator.observe.view_model import EntryFound, Found, Health, View
from tests.support import NOW
from tests.unit.observe.views import (
    ECR,
    FILE,
    HARBOR,
    NEVER_RAN,
    TROUBLED,
    VARIABLE,
    WELL,
    hours,
    settings,
    view_of,
)


def test_well() -> None:
    """A record of a good cycle: everything fresh, safe, with its times."""
    status = view_of(WELL)
    assert (status.health, status.job_safe, status.safe_until) == (
        Health.GREEN,
        True,
        NOW + hours(4),
    )
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
    assert list(status.failures()) == []


def test_in_trouble() -> None:
    """A source that fails keeps its credential while that lives; each failure is said once."""
    status = view_of(TROUBLED)
    assert (status.health, status.job_safe) == (Health.RED, False)
    assert [c.outcome for c in status.credentials] == ["fresh", "failed"]
    assert [(names, t.reason) for names, t in status.failures()] == [
        (HARBOR, "login_rejected"),
        (FILE, "no_space"),
    ]
    alive = replace(WELL, sources=TROUBLED.sources)
    assert [c.outcome for c in view_of(alive).credentials] == ["fresh", "kept"]


def test_safety_is_that_of_now() -> None:
    """What was job-safe when its cycle ended is not for ever: the moment of asking counts."""
    assert view_of(WELL).job_safe
    late = rotation_view(settings(), WELL, NOW + hours(5))
    assert not late.job_safe
    assert late.credentials[0].outcome == "fresh"
    assert rotation_view(settings(), WELL, NOW + hours(8)).credentials[0].outcome == "failed"


def test_nothing_ends() -> None:
    """Where nothing has an end, it is safe, and there is no time to tell."""
    ends = {name: replace(one, end=FOREVER) for name, one in WELL.targets.items()}
    status = view_of(replace(WELL, targets=ends, safe_until=FOREVER))
    assert (status.job_safe, status.safe_until) == (True, None)


def test_never_ran() -> None:
    """Before the first cycle there is no outcome, and nobody knows the registries."""
    status = rotation_view(NEVER_RAN, Record(), NOW)
    assert (status.outcome, status.job_safe, status.ended_at) == (None, False, None)
    assert [(c.registry, c.outcome, c.name) for c in status.credentials] == [
        (None, None, "(registries of ecr)")
    ]
    assert {t.outcome for t in status.targets} == {None}


def test_pending_is_no_failure_until_settle_is_over() -> None:
    """Nothing is published yet, so jobs are not safe; but a person has nothing to do."""
    vault = replace(WELL.sources["vault"], failure=None)
    record = replace(
        WELL,
        credentials={ECR: WELL.credentials[ECR]},
        sources={**WELL.sources, "vault": vault},
        pending={HARBOR: PendingCredential("hmac:ddddeeeeffff", NOW)},
        safe_until=None,
    )
    settle = settings().settle
    views = [rotation_view(settings(), record, NOW + settle * share) for share in (0.9, 1)]
    assert [(v.credentials[1].outcome, v.credentials[1].health) for v in views] == [
        ("pending", Health.AMBER),
        ("failed", Health.RED),
    ]
    assert {v.health for v in views} == {Health.RED}


def test_paused() -> None:
    """A paused rotation is meant to be so: no next cycle, and not among the unsafe."""
    status = view_of(TROUBLED, enabled=False)
    assert (status.outcome, status.next_at, status.health) == ("paused", None, None)
    assert not any(credential.renew_at for credential in status.credentials)
    assert View(NOW, "running", (status,)).unsafe == ()
    one_target = settings(targets=[{"type": "file", "path": "/a", "enabled": False}])
    assert rotation_view(one_target, WELL, NOW).targets[0].outcome == "paused"


def test_a_fetch_under_way_is_no_failure() -> None:
    """While a source is asked its record says that it failed, in case nobody comes back."""
    vault = TROUBLED.sources["vault"]
    assert WELL.ended_at is not None
    asking = replace(vault, attempted_at=WELL.ended_at + hours(0.01))
    status = view_of(replace(WELL, sources={**WELL.sources, "vault": asking}))
    assert [c.outcome for c in status.credentials] == ["fresh", "fresh"]
    assert list(status.failures()) == []


FIRST = FailureRecord(
    1, "bug", "the last fetch ended with rotator itself", "see the log", NOW, NOW + hours(0.1)
)


def test_the_first_cycle_is_no_failure_either() -> None:
    """It may take long: until it has ended, nothing has failed; where nothing runs, it has."""
    asking = SourceRecord(attempted_at=NOW - hours(0.01), failure=FIRST)
    record = Record(sources={"vault": asking})
    view = rotation_view(settings(), record, NOW)
    assert (view.in_cycle, list(view.failures())) == (True, [])
    assert {one.outcome for one in view.credentials} == {None}
    assert headline(View(NOW, "running", (view,))) == "Starting, the first cycle is running: dind"
    crashed = rotation_view(settings(), record, NOW, in_cycle=False)
    assert [failure.reason for _, failure in crashed.failures()] == ["bug"]


@pytest.mark.parametrize(
    ("found", "health"),
    [
        (Found((EntryFound(ECR, "current"),)), "green"),
        (Found((EntryFound(ECR, "withheld"),)), "green"),
        (Found((EntryFound(ECR, "missing"),)), "red"),
        (Found((EntryFound(ECR, "foreign"),)), "amber"),
        (Found(reason="timeout", detail="d", hint="h"), "amber"),
        (Found(reason="deleted", detail="d", hint="h", gone=True), "red"),
    ],
    ids=["current", "withheld", "missing", "foreign", "unread", "gone"],
)
def test_what_is_found_now_counts(found: Found, health: str) -> None:
    """A target that does not hold what was published is not green, whatever the journal says."""
    view = with_found(view_of(WELL), {FILE: found}, NOW)
    assert (view.targets[0].health, view.health) == (health, health)
    red = with_found(view_of(TROUBLED), {FILE: found}, NOW)
    assert red.health == "red"


FAILED_READ = replace(
    WELL.targets[FILE],
    outcome="failed",
    failure=FailureRecord(1, "timeout", "no answer", "wait", NOW - hours(0.1), NOW + hours(0.1)),
)


@pytest.mark.parametrize(
    ("record", "health", "rows"),
    [
        (WELL, "green", {"green"}),
        (replace(WELL, sources=TROUBLED.sources), "amber", {"green", "amber"}),
        (replace(WELL, outcome="partial"), "amber", {"green"}),
        (replace(WELL, targets={**WELL.targets, FILE: FAILED_READ}), "amber", {"green", "amber"}),
        (replace(WELL, safe_until=NOW - hours(1)), "red", {"green"}),
        (
            replace(WELL, targets={FILE: FAILED_READ}, safe_until=NOW - hours(1)),
            "red",
            {"green", "amber", "red"},
        ),
        (TROUBLED, "red", {"green", "red"}),
    ],
    ids=["well", "kept", "partial", "unread", "late", "unread and late", "troubled"],
)
def test_health(record: Record, health: str, rows: set[str | None]) -> None:
    """Red is not job-safe, amber is job-safe and not all fresh; no row contradicts the whole."""
    view = view_of(record)
    assert view.health == health
    assert {one.health for one in view.credentials} | {one.health for one in view.targets} == rows
    assert (view.health == "red") == (not view.job_safe)


def test_an_unreadable_target_holds_no_bad_entry() -> None:
    """Nobody knows what it holds: it is said that it failed, and not what is in it."""
    unread = replace(FAILED_READ, end=None)
    view = view_of(replace(WELL, targets={**WELL.targets, FILE: unread}))
    said = ", ".join(phrases.target(view.targets[0], NOW))
    assert said.startswith("failed")
    assert "does not work" not in said
    bad = replace(WELL.targets[FILE], end=None)
    view = view_of(replace(WELL, targets={**WELL.targets, FILE: bad}, safe_until=None))
    assert view.targets[0].health == "red"
    assert [failure.reason for _, failure in view.failures()] == ["not_found"]


def test_a_journal_of_the_future_promises_nothing() -> None:
    """Its clock was ahead; the next cycle, which has not run yet, knows ends again."""
    ahead = replace(WELL, ended_at=NOW + hours(24), safe_until=NOW + hours(30))
    view = view_of(ahead)
    assert (view.job_safe, view.safe_until, view.health) == (False, None, Health.RED)
    assert "the clock went back" in next(iter(view.failures()))[1].detail
