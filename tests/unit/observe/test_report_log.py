"""What a daemon's log says of reports, and what it does not say again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import structlog

from rotator.core.errors import Reason
from rotator.core.failure import Failure
from rotator.core.report import CredentialReport, Report, SourceReport, TargetReport
from rotator.observe.report_log import ReportLog
from tests.support import NOW
from tests.unit.observe.heard import report
from tests.unit.observe.views import FILE, HARBOR, hours

DOWN = Failure(Reason.UNREACHABLE, "no connection", "start it")
FULL = Failure(Reason.NO_SPACE, "the disk is full", "make room", permanent=True)


class Daemon:
    """The log of a daemon, and its clock."""

    def __init__(self) -> None:
        self.now = NOW
        self.capture = structlog.testing.LogCapture()
        log = structlog.wrap_logger(None, processors=[self.capture])
        self.log = ReportLog(log, lambda: self.now)

    def after(self, one: Report, seconds: float = 5) -> list[str]:
        """Return the events that this report brings, some seconds after the one before."""
        self.now += timedelta(seconds=seconds)
        self.capture.entries.clear()
        self.log.write(one)
        return [str(entry["event"]) for entry in self.entries if entry["event"] != "cycle ended"]

    @property
    def entries(self) -> list[Any]:
        """What was logged last."""
        return list(self.capture.entries)


@pytest.fixture
def daemon() -> Daemon:
    """A daemon that has logged nothing."""
    return Daemon()


def cycle(**changes: Any) -> Report:
    """Return the report of a cycle in which nothing else happened."""
    return report(**{"sources": (), "credentials": (), "targets": (), **changes})


@pytest.mark.parametrize(
    ("failing", "well", "event"),
    [
        (
            {"sources": (SourceReport("vault", 0.1, DOWN),)},
            {"sources": (SourceReport("vault", 0.1),)},
            "fetch failed",
        ),
        (
            {"targets": (TargetReport(FILE, "failed", failure=DOWN, step="read"),)},
            {"targets": (TargetReport(FILE, "unchanged"),)},
            "read failed",
        ),
        (
            {"targets": (TargetReport(FILE, "failed", failure=DOWN, step="write"),)},
            {"targets": (TargetReport(FILE, "written"),)},
            "write failed",
        ),
        (
            {"targets": (TargetReport(FILE, "held_back", failure=DOWN, step="plan"),)},
            {"targets": (TargetReport(FILE, "unchanged"),)},
            "held back",
        ),
        (
            {"credentials": (CredentialReport(HARBOR, "v", "rejected", "rejected", failure=DOWN),)},
            {"credentials": (CredentialReport(HARBOR, "v", "fetched", "accepted"),)},
            "credential not published",
        ),
        (
            {"credentials": (CredentialReport(HARBOR, "v", "pending", "rejected", failure=DOWN),)},
            {"credentials": (CredentialReport(HARBOR, "v", "fetched", "accepted"),)},
            "credential not published",
        ),
    ],
    ids=["source", "read", "write", "plan", "registry", "pending"],
)
def test_a_failure_that_lasts(
    daemon: Daemon, failing: dict[str, Any], well: dict[str, Any], event: str
) -> None:
    """Logged when it begins, once an hour and when it ends, whatever it is of."""
    assert daemon.after(cycle(**failing)) == [event]
    assert [daemon.after(cycle(**failing)) for _ in range(10)] == [[]] * 10
    assert daemon.after(cycle(**failing), 3600) == [event]
    assert daemon.entries[0]["failures"] == 11
    assert daemon.after(cycle(**failing)) == []
    assert daemon.after(cycle(**well)) == ["works again"]
    assert daemon.entries[0]["failures"] == 13
    assert daemon.after(cycle(**well)) == []


@pytest.mark.parametrize(("failure", "level"), [(DOWN, "warning"), (FULL, "error")])
def test_only_what_a_person_has_to_repair_is_an_error(
    daemon: Daemon, failure: Failure, level: str
) -> None:
    """What waiting helps is a warning, whatever failed."""
    credential = CredentialReport(HARBOR, "v", "pending", "rejected", failure=failure)
    held_back = TargetReport(FILE, "held_back", failure=failure, step="plan")
    daemon.after(cycle(credentials=(credential,), targets=(held_back,)))
    levels = {one["event"]: one["log_level"] for one in daemon.entries}
    assert levels["credential not published"] == levels["held back"] == level


def test_a_change_is_logged(daemon: Daemon) -> None:
    """A read that fails in another way, and a write that fails after it."""
    targets = [
        TargetReport(FILE, "failed", failure=DOWN, step="read"),
        TargetReport(FILE, "failed", failure=FULL, step="read"),
        TargetReport(FILE, "failed", failure=FULL, step="write"),
    ]
    events = [daemon.after(cycle(targets=(target,))) for target in targets]
    assert events == [["read failed"], ["read failed"], ["write failed"]]


def test_what_says_nothing_ends_nothing(daemon: Daemon) -> None:
    """A source that was not asked, a registry whose source fails, a paused target."""
    rejected = CredentialReport(HARBOR, "v", "rejected", "rejected", failure=DOWN)
    target = TargetReport(FILE, "failed", failure=DOWN, step="read")
    source = SourceReport("vault", 0.1, DOWN)
    daemon.after(cycle(sources=(source,), credentials=(rejected,), targets=(target,)))
    kept = CredentialReport(HARBOR, "v", "kept", "unknown", failure=DOWN)
    assert daemon.after(cycle(credentials=(kept,), targets=(TargetReport(FILE, "paused"),))) == []
    assert daemon.after(cycle(targets=(target,))) == ["read failed"]


def test_a_registry_that_can_not_be_asked_is_logged(daemon: Daemon) -> None:
    """With `prove: strict` nothing else says why its credential is not published."""
    unproven = CredentialReport(HARBOR, "v", "kept", "unknown", failure=DOWN)
    asked = cycle(sources=(SourceReport("v", 0.1),), credentials=(unproven,))
    assert daemon.after(asked) == ["credential not published"]
    assert daemon.after(asked) == []
    fails = cycle(sources=(SourceReport("v", 0.1, FULL),), credentials=(unproven,))
    assert daemon.after(fails) == ["fetch failed"]


def test_notes_are_not_repeated(daemon: Daemon) -> None:
    """A note is logged when it comes; the same one again after it was away for an hour."""
    noted, calm = cycle(notes=("taken out 2 times",)), cycle()
    assert daemon.after(noted) == ["noticed"]
    assert daemon.after(cycle(notes=("taken out 3 times",))) == []
    assert daemon.after(calm) == []
    assert daemon.after(noted) == []
    assert daemon.after(calm, 1800) == []
    assert daemon.after(noted, 3600) == ["noticed"]


def test_a_bug_and_a_lock(daemon: Daemon) -> None:
    """What ends a cycle without a report is logged once, too, and ends with the next report."""
    for _ in range(3):
        daemon.log.put_off("dind", "pid 7 holds the lock", NOW)
    for _ in range(3):
        daemon.log.crashed("dind", KeyError("x"))
    assert [entry["event"] for entry in daemon.entries] == ["cycle put off", "cycle failed"]
    assert daemon.after(cycle()) == ["works again"]


def test_run_once_logs_everything() -> None:
    """Without a clock nothing is left out."""
    capture = structlog.testing.LogCapture()
    log = ReportLog(structlog.wrap_logger(None, processors=[capture]))
    one = cycle(sources=(SourceReport("vault", 0.1, DOWN),), notes=("a note",))
    log.write(one)
    log.write(one)
    events = [entry["event"] for entry in capture.entries]
    assert events.count("fetch failed") == events.count("noticed") == 2


def test_a_warning_is_said_once_an_hour() -> None:
    """A state directory that can't be used is met at each cycle."""
    said = Daemon()
    for hour, lines in ((0, 1), (0.5, 1), (0.9, 1), (1.1, 2)):
        said.now = NOW + hours(hour)
        said.log.warning("the lock of rotation dind cannot be had: [Errno 30] read-only")
        assert len(said.entries) == lines


def test_why_jobs_are_not_safe_is_logged() -> None:
    """Once, and that it works again."""
    said = Daemon()
    why = Failure(Reason.SHORT_LIVED, "it lives 45 m", "a longer TTL")
    for unsafe in ({"file:/x": why}, {"file:/x": why}, {}):
        said.log.write(report(job_safe=not unsafe), unsafe)
    found = [e for e in said.entries if e.get("target") == "file:/x"]
    assert [e["event"] for e in found] == ["not job-safe", "works again"]
    assert (found[0]["reason"], found[0]["detail"]) == ("short_lived", "it lives 45 m")
