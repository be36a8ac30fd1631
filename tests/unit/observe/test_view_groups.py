"""How a target stands that is an object in each of many namespaces."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rotator.core.record import Record, TargetRecord
from rotator.core.report import Report, TargetReport
from rotator.observe import phrases
from rotator.observe.safety import Safety
from rotator.observe.view import report_view, rotation_view, with_found
from rotator.observe.view_model import EntryFound, Found, Health, RotationView
from tests.support import NOW
from tests.unit.observe.views import ECR, FILE, TROUBLED, WELL, hours, settings

SAFE = Safety(NOW, {}, None)
GROUP = "kubernetes_secret:team-*/docker"


def members(failing: int, count: int = 9) -> dict[str, TargetRecord]:
    """Return the records of a group's members."""
    good = TargetRecord(outcome="unchanged", end=NOW + hours(7), group=GROUP)
    bad = replace(good, outcome="failed", end=None, failure=TROUBLED.targets[FILE].failure)
    return {
        f"kubernetes_secret:team-{n}/docker": bad if n < failing else good for n in range(count)
    }


def view_of_group(record: Record) -> RotationView:
    """Return the view of a rotation to many namespaces."""
    target = {"type": "kubernetes_secret", "namespaces": ["team-*"], "name": "docker"}
    return rotation_view(settings(targets=[target]), record, NOW)


@pytest.mark.parametrize(("failing", "named"), [(0, 0), (2, 2), (8, 5)])
def test_many_objects_are_one_line(failing: int, named: int) -> None:
    """And the worst of them by name."""
    whole, *worst = view_of_group(replace(WELL, targets=members(failing))).targets
    assert (whole.name, whole.objects, whole.failing) == (GROUP, 9, failing)
    assert whole.title.startswith(f"{GROUP} (9 objects")
    assert whole.outcome == ("failed" if failing else "unchanged")
    assert [one.name for one in worst] == [
        f"kubernetes_secret:team-{n}/docker" for n in range(named)
    ]


def test_a_report_of_many_objects_is_as_short() -> None:
    """`run-once` shows what `status` does."""
    targets = [
        TargetReport(name, one.outcome, one.end, group=GROUP) for name, one in members(1).items()
    ]
    report = Report(
        name="dind",
        outcome="partial",
        job_safe=True,
        safe_until=NOW,
        started_at=NOW,
        duration_seconds=1.0,
        next_at=None,
        targets=tuple(targets),
    )
    (whole,) = report_view(report, SAFE, NOW).targets
    assert whole.objects == 9


def test_a_group_that_could_not_be_listed() -> None:
    """Its failure is shown beside what is known of its members."""
    failed = TargetRecord(outcome="failed", failure=TROUBLED.targets[FILE].failure)
    (whole,) = view_of_group(replace(WELL, targets={**members(0), GROUP: failed})).targets
    assert (whole.objects, whole.outcome, whole.failure is None) == (9, "failed", False)


def test_what_is_found_in_many_objects() -> None:
    """How many are as published, and what differs, the five worst by name."""
    foreign, missing = (Found((EntryFound(ECR, one),)) for one in ("foreign", "missing"))
    differing = [("f", foreign), *((f"m{n}", missing) for n in range(6))]
    found = Found(objects=9, differing=tuple(sorted(differing, key=lambda one: not one[1].lacks)))
    view = with_found(view_of_group(replace(WELL, targets=members(0))), {GROUP: found}, NOW)
    assert (view.job_safe, view.health) == (False, Health.RED)
    assert phrases.found(found) == [
        "now: 2 of 9 objects as published",
        *(f"m{n}: now missing: {ECR}" for n in range(5)),
        "and 2 more",
    ]
