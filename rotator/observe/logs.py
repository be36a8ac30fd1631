"""The log: one line an event, in the operator's language, and never a secret.

Console on a terminal, JSON elsewhere, always to standard error: standard output is for answers.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from rotator.core.failure import Failure
from rotator.core.report import Report, iso
from rotator.observe.bugs import of_exc_info
from rotator.observe.lean_structlog import structlog
from rotator.system.notify import is_journal, with_priority

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from rotator.config.schema import LogSettings


def configure(settings: LogSettings) -> FilteringBoundLogger:
    """Return the log that the settings describe."""
    stream = sys.stderr
    terminal = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # The default formatters show local variables or an error's message, which may hold secrets.
        structlog.processors.ExceptionRenderer(of_exc_info),
    ]
    if terminal:
        plain = structlog.dev.plain_traceback
        processors.append(
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)
        )
    else:
        processors.append(structlog.processors.JSONRenderer())
    if is_journal(stream, os.environ):
        processors.append(lambda _, level, line: with_priority(line, level))
    # Libraries' own log lines can hold signed headers; without a handler Python would show them.
    logging.getLogger().addHandler(logging.NullHandler())
    levels = {"debug": 10, "info": 20, "warning": 30, "error": 40}
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(levels[settings.level]),
    )
    return log


class ReportLog:
    """Writes reports into a log. A note is written once: nobody can act on it twice."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._noted: set[tuple[str, str]] = set()

    def write(self, report: Report) -> None:
        """Write down what a cycle did: changes, problems, what was noticed, how it ended."""
        log = self._log.bind(rotation=report.name)
        for source in report.sources:
            if source.failure is not None:
                _problem(log, "fetch failed", source.failure, source=source.name)
        for credential in report.credentials:
            if credential.outcome == "rejected" and credential.failure is not None:
                where = {"registry": credential.registry, "source": credential.source}
                _problem(log, "credential not published", credential.failure, **where)
        for target in report.targets:
            for change in target.changes:
                log.info(
                    "published" if target.outcome == "written" else "would publish",
                    target=target.name,
                    registry=change.registry,
                    before=change.before,
                    after=change.after,
                    why=change.why,
                )
            if target.failure is not None:
                _problem(log, "write failed", target.failure, target=target.name)
            self._notes(log, report.name, target.notes, target=target.name)
        self._notes(log, report.name, report.notes)
        quiet = report.outcome in {"fresh", "paused"}
        (log.debug if quiet else log.info)(
            "cycle ended",
            outcome=report.outcome,
            job_safe=report.job_safe,
            safe_until=iso(report.safe_until),
            next_at=iso(report.next_at),
            seconds=round(report.duration_seconds, 3),
        )

    def crashed(self, rotation: str, error: Exception) -> None:
        """Write down that a cycle ended without a report."""
        _problem(self._log.bind(rotation=rotation), "cycle failed", Failure.of(error))

    def _notes(
        self, log: FilteringBoundLogger, rotation: str, notes: tuple[str, ...], **where: str
    ) -> None:
        for note in notes:
            if (rotation, note) not in self._noted:
                self._noted.add((rotation, note))
                log.warning("noticed", note=note, **where)


def _problem(log: FilteringBoundLogger, event: str, problem: Failure, **where: str | None) -> None:
    write = log.error if problem.permanent or problem.bug else log.warning
    write(
        event,
        **where,
        reason=str(problem.reason),
        detail=problem.detail,
        hint=problem.hint,
        exc_info=problem.bug,
    )
