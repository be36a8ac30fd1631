"""The log: one line a change that an auditor can use, and nothing that nobody should see."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rotator.config.schema import LogSettings
from rotator.core.errors import Reason
from rotator.core.failure import Failure
from rotator.core.report import CredentialReport, TargetReport
from rotator.core.situation import Change
from rotator.observe.logs import configure
from rotator.observe.report_log import ReportLog
from tests.unit.observe.heard import PROBLEM, report
from tests.unit.observe.journal import Journal
from tests.unit.observe.views import ECR, FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

CHANGE = Change(ECR, "hmac:111111111111", "hmac:222222222222", "renewed")


def reported(capsys: pytest.CaptureFixture[str], *reports: Any, level: str = "info") -> list[Any]:
    """Return the lines that are logged of these reports, as a machine reads them."""
    settings = LogSettings(level=level)  # type: ignore[arg-type]
    report_log = ReportLog(configure(settings))
    for one in reports:
        report_log.write(one)
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_a_change_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Which rotation, target and registry; which fingerprint before and after; and why."""
    lines = reported(capsys, report(targets=(TargetReport(FILE, "written", changes=(CHANGE,)),)))
    [line] = [one for one in lines if one["event"] == "published"]
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "published",
        "level": "info",
        "rotation": "dind",
        "target": FILE,
        "registry": ECR,
        "before": "hmac:111111111111",
        "after": "hmac:222222222222",
        "why": "renewed",
    }


def test_a_dry_run_does_not_say_published(capsys: pytest.CaptureFixture[str]) -> None:
    """Who counts what was published must not count what would have been."""
    lines = reported(capsys, report(targets=(TargetReport(FILE, "planned", changes=(CHANGE,)),)))
    events = {line["event"] for line in lines}
    assert "would publish" in events
    assert "published" not in events


def test_a_problem_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """Reason, detail and hint; louder where waiting does not help."""
    temporary = Failure(Reason.UNREACHABLE, "down", "start it")
    permanent = Failure(Reason.FORBIDDEN, "no", "ask for it", permanent=True)
    targets = (
        TargetReport("a", "failed", failure=temporary),
        TargetReport("b", "failed", failure=permanent),
    )
    lines = reported(capsys, report(sources=(), targets=targets))
    failed = [line for line in lines if "target" in line and line["event"] != "published"]
    assert [(one["target"], one["level"], one["hint"]) for one in failed] == [
        ("a", "warning", "start it"),
        ("b", "error", "ask for it"),
    ]


def test_a_quiet_cycle_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing changed: nothing is said, unless somebody wants to see everything."""
    fresh = report(
        outcome="fresh",
        sources=(),
        targets=(),
        credentials=(CredentialReport(ECR, "ecr", "fresh", "accepted"),),
    )
    assert reported(capsys, fresh) == []
    assert [line["event"] for line in reported(capsys, fresh, level="debug")] == ["cycle ended"]


def test_a_fetch_that_failed_names_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    """Several sources: which one it was has to be said."""
    lines = reported(capsys, report())
    assert [line["source"] for line in lines if line["event"] == "fetch failed"] == ["vault"]
    assert PROBLEM.hint in json.dumps(lines)


def test_each_log_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """One that tells errors only silences no other in the same process."""
    loud = configure(LogSettings(level="info"))
    configure(LogSettings(level="error"))
    loud.info("heard")
    assert "heard" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["json", "console"])
def test_the_journal_learns_how_much_a_line_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Each line that goes into systemd's journal begins with its priority, and no other line."""
    bug = Failure.of(KeyError("x"))
    targets = (
        TargetReport(FILE, "written", changes=(CHANGE,)),
        TargetReport("a", "failed", failure=Failure(Reason.UNREACHABLE, "down", "start it")),
        TargetReport("b", "failed", failure=bug),
    )
    with (tmp_path / "journal").open("w+") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        about = os.fstat(stream.fileno())
        for named in (f"{about.st_dev}:{about.st_ino}", f"{about.st_dev}:1", ""):
            monkeypatch.setenv("JOURNAL_STREAM", named)
            log = configure(LogSettings(format=form))  # type: ignore[arg-type]
            ReportLog(log).write(report(sources=(), credentials=(), targets=targets))
            stream.seek(0)
            lines = stream.read().splitlines()
            stream.seek(0)
            stream.truncate()
            if named != f"{about.st_dev}:{about.st_ino}":
                assert not any(line.startswith("<") for line in lines)
                continue
            found = {line[:3] for line in lines}
            assert found == {"<6>", "<4>", "<3>"}
            assert [line[:3] for line in lines if "KeyError" in line][-1] == "<3>"
            assert [line[:3] for line in lines if "start it" in line] == ["<4>"]


@contextmanager
def stderr_in_journal(folder: Path) -> Iterator[Path]:
    """Lead standard error where systemd's journal takes lines; give the file that it is here."""
    # Not in a fixture: pytest sets standard error again when a test begins.
    path = folder / "stream"
    with path.open("w+") as stream, pytest.MonkeyPatch.context() as patch:
        about = os.fstat(stream.fileno())
        patch.setattr(sys, "stderr", stream)
        patch.setenv("JOURNAL_STREAM", f"{about.st_dev}:{about.st_ino}")
        yield path


def test_systemds_journal_gets_fields(tmp_path: Path) -> None:
    """Under systemd each event is one line, with fields; no bug's text is in them."""
    bug = Failure.of(KeyError("s3cr3t-key"))
    targets = (
        TargetReport(FILE, "written", changes=(CHANGE,)),
        TargetReport("a", "failed", failure=bug, step="write"),
    )
    with Journal(tmp_path / "socket") as journal, stderr_in_journal(tmp_path) as stream:
        log = configure(LogSettings(), journal.path)
        ReportLog(log).write(report(sources=(), credentials=(), targets=targets))
        published, failed, _ = (journal.event() for _ in range(3))
    assert published["MESSAGE"].startswith(f"dind: published: {ECR}, {FILE} (")
    assert published["ROTATOR_REGISTRY"] == ECR
    assert published["ROTATOR_TARGET"] == FILE
    assert published["PRIORITY"] == "6"
    assert (failed["PRIORITY"], failed["ROTATOR_REASON"]) == ("3", "bug")
    assert failed["ROTATOR_EXCEPTION"].endswith("KeyError")
    assert "s3cr3t" not in f"{published}{failed}"
    assert stream.read_text() == ""


def test_a_journal_that_is_gone(tmp_path: Path) -> None:
    """While its socket does not work, lines go to standard error, with their priorities."""
    with stderr_in_journal(tmp_path) as stream:
        with Journal(tmp_path / "socket") as journal:
            log = configure(LogSettings(), journal.path)
            log.info("one")
            assert journal.event()["MESSAGE"] == "one"
        journal.path.unlink()
        log.warning("two", hint="start it")
        assert stream.read_text() == "<4>two. To do: start it\n"
        with Journal(tmp_path / "socket") as journal:
            log.info("three")
            assert journal.event()["MESSAGE"] == "three"


@pytest.mark.parametrize(("form", "begins"), [("json", "<6>{"), ("console", "<6>")])
def test_other_forms_in_the_journal(tmp_path: Path, form: str, begins: str) -> None:
    """Who asks for JSON, or for lines, gets them as they are."""
    with Journal(tmp_path / "socket") as journal, stderr_in_journal(tmp_path) as stream:
        configure(LogSettings(format=form), journal.path).info("one")  # type: ignore[arg-type]
        assert stream.read_text().startswith(begins)
        assert journal.is_empty()


def test_without_its_socket_it_is_json(tmp_path: Path) -> None:
    """A container's standard error may lead to a journal that is not there."""
    with stderr_in_journal(tmp_path) as stream:
        configure(LogSettings(), tmp_path / "nothing").info("one")
    assert stream.read_text().startswith('<6>{"event": "one"')


def test_what_to_type_names_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    """The core and the drivers don't know which one was loaded."""
    log = configure(LogSettings(format="json"), file=Path("/c"))
    log.warning("see rotator status", hint="rotator run-once")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "see rotator --config /c status"
    assert line["hint"] == "rotator --config /c run-once"
