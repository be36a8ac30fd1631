"""The table of `run-once`: what a person reads of a cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.core.report import CredentialReport, TargetReport
from rotator.observe.table import show
from tests.support import NOW
from tests.unit.observe.heard import PROBLEM, report
from tests.unit.observe.standing import ECR, FILE, HARBOR, hours

if TYPE_CHECKING:
    import pytest


def test_what_has_ended_is_said_to_have_ended(capsys: pytest.CaptureFixture[str]) -> None:
    """A registry that nothing could be fetched for: no "for -2 h"."""
    kept = CredentialReport(ECR, "ecr", "kept", "rejected", NOW - hours(2), problem=PROBLEM)
    show([report(credentials=(kept,), targets=())], NOW)
    _, row, *_ = capsys.readouterr().out.splitlines()
    assert row.split() == [ECR, "kept", "ended", "2", "h", "ago"]


def test_no_line_ends_in_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    """What has no end leaves its column out; it is to be pasted into a ticket."""
    credentials = (
        CredentialReport(ECR, "ecr", "fetched", "accepted", NOW + hours(7)),
        CredentialReport(HARBOR, "vault", "kept", "accepted"),
    )
    show([report(credentials=credentials, targets=(TargetReport(FILE, "written"),))], NOW)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    assert f"  {ECR}  fetched  for 7 h" in lines
