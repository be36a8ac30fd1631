"""Writes what cycles did into the log: changes, failures, notes, how they ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.core.failure import Failure
from rotator.core.report import GOOD_CREDENTIAL, iso
from rotator.observe.repeats import HOUR, Logged, News, news, without_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from structlog.typing import FilteringBoundLogger

    from rotator.core.ports import Clock
    from rotator.core.report import CredentialReport, Report, TargetReport

_TARGET_EVENTS = {"read": "read failed", "plan": "held back", "write": "write failed"}
"""The event of a target's failure, by the step of the cycle that failed."""


class ReportLog:
    """Logs each cycle's report.

    `clock`: a daemon's, where what lasts is not logged at each try (`repeats`); without one all is.
    """

    def __init__(self, log: FilteringBoundLogger, clock: Clock | None = None) -> None:
        self._log = log
        self._clock = clock
        self._failures: dict[tuple[str, ...], Logged] = {}
        self._notes: dict[tuple[str, ...], datetime] = {}

    def write(self, report: Report) -> None:
        """Log what a cycle did."""
        name = report.name
        if self._clock is not None:
            now = self._clock()
            self._notes = {key: at for key, at in self._notes.items() if now - at < HOUR}
        self._failed((name,), "cycle failed", None)
        for source in report.sources:
            self._failed((name, "source"), "fetch failed", source.failure, source=source.name)
        for credential in report.credentials:
            self._credential(name, credential)
        for target in report.targets:
            self._target(name, target)
        self._noted(name, report.notes)
        quiet = report.outcome in {"fresh", "paused"}
        (self._log.debug if quiet else self._log.info)(
            "cycle ended",
            rotation=name,
            outcome=report.outcome,
            job_safe=report.job_safe,
            safe_until=iso(report.safe_until),
            next_at=iso(report.next_at),
            seconds=round(report.duration_seconds, 3),
        )

    def crashed(self, rotation: str, error: BaseException) -> None:
        """Log that a cycle ended by a bug, without a report."""
        failure = Failure.of(error) if isinstance(error, Exception) else None
        self._failed((rotation,), "cycle failed", failure)

    def put_off(self, rotation: str, why: str, retry_at: datetime) -> None:
        """Log that a cycle waits for a lock that another process holds."""
        because = self._news((rotation,), why)
        if because is not None:
            at = iso(retry_at)
            self._log.warning("cycle put off", rotation=rotation, detail=why, retry_at=at)

    def _credential(self, rotation: str, one: CredentialReport) -> None:
        about = {"registry": one.registry or "", "source": one.source}
        if one.outcome in GOOD_CREDENTIAL:
            self._failed((rotation, "registry"), "", None, **about)
        elif one.outcome == "rejected":
            self._failed((rotation, "registry"), "credential not published", one.failure, **about)

    def _target(self, rotation: str, one: TargetReport) -> None:
        for change in one.changes:
            self._log.info(
                "published" if one.outcome == "written" else "would publish",
                rotation=rotation,
                target=one.name,
                registry=change.registry,
                before=change.before,
                after=change.after,
                why=change.why,
            )
        if one.outcome == "paused":
            self._failures.pop((rotation, "target", one.name), None)
        event = _TARGET_EVENTS[one.step or "write"]
        self._failed((rotation, "target"), event, one.failure, target=one.name)
        self._noted(rotation, one.notes, target=one.name)

    def _failed(
        self, key: tuple[str, ...], event: str, failure: Failure | None, **about: str
    ) -> None:
        """Log a failure, or that it has ended, where that is news."""
        key = (*key, *about.values())
        last = self._failures.get(key)
        what = None if failure is None else f"{event}: {failure.reason}: {failure.detail}"
        because = self._news(key, what)
        if because is None:
            return
        lasts = {} if last is None else {"since": iso(last.since), "failures": last.count}
        log = self._log.bind(rotation=key[0], **about)
        if failure is None:
            log.info("works again", **lasts)
            return
        (log.error if failure.permanent or failure.bug else log.warning)(
            event,
            reason=str(failure.reason),
            detail=failure.detail,
            hint=failure.hint,
            exc_info=failure.bug,
            **(lasts if because is News.LASTS else {}),
        )

    def _news(self, key: tuple[str, ...], what: str | None) -> News | None:
        if self._clock is None:
            return None if what is None else News.BEGAN
        because, logged = news(self._failures.pop(key, None), what, self._clock())
        if logged is not None:
            self._failures[key] = logged
        return because

    def _noted(self, rotation: str, notes: Iterable[str], **about: str) -> None:
        """Log each note that was not there within the last hour."""
        for note in notes:
            key = (rotation, *about.values(), without_numbers(note))
            if key not in self._notes:
                self._log.warning("noticed", rotation=rotation, note=note, **about)
            if self._clock is not None:
                self._notes[key] = self._clock()
