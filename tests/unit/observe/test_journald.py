"""Events in systemd's journal: a line for people, and fields for searches."""

from __future__ import annotations

import io
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from rotator.observe.journald import JournaldLogger, as_event, encoded, fields
from rotator.observe.lean_structlog import structlog
from rotator.observe.log_line import log_line, terminal_line
from tests.unit.observe.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAILED = {
    "rotation": "dind",
    "event": "fetch failed",
    "source": "vault",
    "reason": "login_rejected",
    "detail": "https://vault.example.com refuses the secret id",
    "hint": "give the role a new one",
    "level": "error",
    "timestamp": "2026-11-23T10:00:00Z",
}


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[JournaldLogger]:
    """Give a logger that writes to `journal`, or to its fallback where that is not there."""
    with closing(JournaldLogger(io.StringIO(), tmp_path / "socket")) as made:
        yield made


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Give a socket that takes datagrams as the journal does."""
    with Journal(tmp_path / "socket") as there:
        yield there


def test_a_line_and_fields(journal: Journal, logger: JournaldLogger) -> None:
    """Through structlog, as the daemon logs."""
    log = structlog.wrap_logger(
        logger,
        processors=[structlog.processors.add_log_level, as_event],
        wrapper_class=structlog.make_filtering_bound_logger(20),
    )
    about = {key: value for key, value in FAILED.items() if key not in {"event", "level"}}
    log.error("fetch failed", **about)
    log.debug("not logged at all")
    found = journal.event()
    assert found["MESSAGE"] == (
        "dind: fetch failed: vault: login_rejected: https://vault.example.com refuses the secret "
        "id. To do: give the role a new one"
    )
    assert (found["PRIORITY"], found["SYSLOG_IDENTIFIER"]) == ("3", "rotator")
    assert found["ROTATOR_REASON"] == "login_rejected"
    assert found["ROTATOR_ROTATION"] == "dind"


def test_several_lines(journal: Journal, logger: JournaldLogger) -> None:
    """A traceback keeps its lines, and forges no field."""
    logger.error(event="bug", detail="one\nPRIORITY=0\ntwo", exception="a\nb")
    found = journal.event()
    assert found["ROTATOR_EXCEPTION"] == "a\nb"
    assert found["PRIORITY"] == "6"
    assert encoded(fields({"event": "x\ny"}))


def test_what_is_too_large(journal: Journal, logger: JournaldLogger) -> None:
    """It goes as a file in memory."""
    logger.info(event="large", detail="x" * 600_000)
    assert len(journal.event()["ROTATOR_DETAIL"]) == 600_000


def test_a_journal_that_hangs(journal: Journal, logger: JournaldLogger) -> None:
    """It is waited for once; all that it does not take goes to the fallback until it does again."""
    begun = time.monotonic()
    for number in range(2000):
        logger.msg(event=f"number {number}", level="info")
    assert time.monotonic() - begun < 20
    assert "number 1999" in logger._fallback.getvalue()  # type: ignore[attr-defined]
    while not journal.is_empty():
        journal.event()
    logger.msg(event="works again", level="info")
    assert journal.event()["MESSAGE"] == "works again"


def test_without_a_journal(tmp_path: Path) -> None:
    """The line goes where logs went before: none is lost."""
    stream = io.StringIO()
    with closing(JournaldLogger(stream, tmp_path / "nothing")) as logger:
        logger.info(**FAILED)
    assert stream.getvalue() == f"<3>{log_line(FAILED)}\n"


def test_lines() -> None:
    """What a person wants to know first comes first; what is not known is left out."""
    ended = {"rotation": "dind", "event": "cycle ended", "outcome": "fresh", "job_safe": True}
    assert log_line({**ended, "safe_until": None}) == (
        "dind: cycle ended (outcome fresh, job_safe true)"
    )
    noticed = {"rotation": "dind", "event": "noticed", "note": "a\nb", "target": "file:/a"}
    assert log_line(noticed) == "dind: noticed: file:/a: a b"
    problems = {"event": "not reloaded", "problems": ["a:1: b", "a:2: c"]}
    assert log_line(problems) == "not reloaded (problems a:1: b; a:2: c)"
    bug = {"event": "cycle failed", "reason": "bug", "exception": "File a\nKeyError"}
    assert log_line(bug) == "cycle failed: bug\nFile a\nKeyError"


def test_lines_on_a_terminal() -> None:
    """The time of day, and the level where it matters; never by colour alone."""
    assert terminal_line(FAILED, colours=False) == f"10:00:00Z error: {log_line(FAILED)}"
    assert terminal_line(FAILED, colours=True).startswith("\x1b[1;31m10:00:00Z error: ")
    calm = {**FAILED, "level": "info"}
    assert terminal_line(calm, colours=True) == f"10:00:00Z {log_line(FAILED)}"
