"""`run-once`: what the answers of several cycles come to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from rotator.commands.run_once import exit_code, sort_out
from rotator.config.schema import LogSettings
from rotator.core.errors import LockHeldError
from rotator.observe.logs import configure
from rotator.observe.report_log import ReportLog
from tests.unit.observe.heard import report

if TYPE_CHECKING:
    from rotator.core.report import Report


def test_a_cycle_that_crashes_takes_no_other_report_with_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The bug is one line with its traceback; the other rotation is told as usual."""
    report_log, good = ReportLog(configure(LogSettings())), report()
    answers: list[Report | Exception] = [OverflowError("too large"), good]
    assert sort_out(["broken", "good"], answers, report_log) == ([good], False, 1)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["rotation"], line["reason"]) == ("cycle failed", "broken", "bug")
    assert line["exception"].endswith("OverflowError")


def test_a_lock_of_another_takes_no_report_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The other rotation's cycle ran, and is told."""
    report_log, good = ReportLog(configure(LogSettings())), report()
    answers: list[Report | Exception] = [good, LockHeldError("another rotator holds it")]
    assert sort_out(["good", "locked"], answers, report_log) == ([good], True, 0)
    assert "--wait" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("outcomes", "crashed", "code"),
    [
        (["rotated", "fresh", "paused"], 0, 0),
        (["paused"], 0, 0),
        (["failed", "failed", "paused"], 0, 1),
        (["failed", "fresh"], 0, 10),
        (["partial"], 0, 10),
        (["fresh"], 1, 10),
        (["failed"], 1, 1),
        ([], 1, 1),
    ],
)
def test_exit_code(outcomes: list[str], crashed: int, code: int) -> None:
    """A paused rotation counts neither way."""
    reports = [replace(report(), outcome=outcome, job_safe=True) for outcome in outcomes]
    assert exit_code(reports, crashed) == code


def test_a_rotation_that_is_not_job_safe_is_not_fresh() -> None:
    """Except in a dry run, which publishes nothing that could be safe."""
    unsafe = replace(report(), outcome="fresh", job_safe=False)
    assert exit_code([unsafe]) == 10
    assert exit_code([unsafe], dry_run=True) == 0
