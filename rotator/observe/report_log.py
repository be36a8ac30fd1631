"""Writes what cycles did into the log: changes, failures, notes, how they ended.

A daemon tries again every few seconds, and each try would be a line among which nobody found the
others. So a failure is logged when it begins, when another kind comes, each kind once an hour, and
when it ends.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from threading import RLock
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rotator.core.failure import Failure
from rotator.core.report import GOOD_CREDENTIAL, iso

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from structlog.typing import FilteringBoundLogger

    from rotator.core.ports import Clock
    from rotator.core.report import CredentialReport, Report, TargetReport

_TARGET_EVENTS = {"read": "read failed", "plan": "held back", "write": "write failed"}
"""The event of a target's failure, by the step of the cycle that failed."""

HOUR = timedelta(hours=1)

# These differ from try to try though the failure is the same: times, ports, request numbers.
_VARIES = re.compile(r"\b(?=[0-9a-f-]*\d)[0-9a-f-]{6,}\b|\d+")


class News(StrEnum):
    """Why a failure is logged now."""

    BEGAN = "began"
    CHANGED = "changed"
    LASTS = "lasts"
    ENDED = "ended"


class Logged(Struct, frozen=True):
    """A failure that lasts: since when, how many tries failed, when each kind was logged last."""

    since: datetime
    at: Mapping[str, datetime]
    count: int = 1


class ReportLog:
    """Logs each cycle's report; the cycles of several rotations end in threads of their own.

    `clock`: a daemon's, where what lasts is not logged at each try (`news`); without one all is.
    """

    def __init__(self, log: FilteringBoundLogger, clock: Clock | None = None) -> None:
        self._log = log
        self._clock = clock
        self._failures: dict[tuple[str, ...], Logged] = {}
        self._notes: dict[tuple[str, ...], datetime] = {}
        self._warned: dict[str, datetime] = {}
        self._lock = RLock()

    def write(self, report: Report, unsafe: Mapping[str, Failure] | None = None) -> None:
        """Log what a cycle did; `unsafe`: why jobs are not safe, by target."""
        with self._lock:
            self._outcomes(report)
            self._unsafe(report, unsafe or {})
        quiet = report.outcome in {"fresh", "paused"}
        (self._log.debug if quiet else self._log.info)(
            "cycle ended",
            rotation=report.name,
            outcome=report.outcome,
            job_safe=report.job_safe,
            safe_until=iso(report.safe_until),
            next_at=iso(report.next_at),
            seconds=round(report.duration_seconds, 3),
        )

    def crashed(self, rotation: str, error: BaseException) -> None:
        """Log that a cycle ended by a bug, without a report."""
        failure = Failure.of(error) if isinstance(error, Exception) else None
        with self._lock:
            self._failed((rotation,), "cycle failed", failure)

    def put_off(self, rotation: str, why: str, retry_at: datetime) -> None:
        """Log that a cycle waits for a lock that another process holds."""
        with self._lock:
            because = self._news((rotation,), why)
        if because is not None:
            at = iso(retry_at)
            self._log.warning("cycle put off", rotation=rotation, detail=why, retry_at=at)

    def warning(self, text: str) -> None:
        """Log what a person should know, and no sooner again than in an hour."""
        with self._lock:
            now = self._clock() if self._clock is not None else None
            last = self._warned.get(without_numbers(text))
            if now is None or last is None or not timedelta(0) <= now - last < HOUR:
                self._log.warning(text)
                if now is not None:
                    self._warned[without_numbers(text)] = now

    def _outcomes(self, report: Report) -> None:
        name = report.name
        if self._clock is not None:
            now = self._clock()
            self._notes = {key: at for key, at in self._notes.items() if now - at < HOUR}
        self._failed((name,), "cycle failed", None)
        for source in report.sources:
            self._failed((name, "source"), "fetch failed", source.failure, source=source.name)
        failing = {source.name for source in report.sources if source.failure is not None}
        for credential in report.credentials:
            self._credential(name, credential, failing)
        for target in report.targets:
            self._target(name, target)
        self._noted(name, report.notes)

    def _unsafe(self, report: Report, unsafe: Mapping[str, Failure]) -> None:
        """Log why jobs are not safe, where no failure says that."""
        reasons = {} if report.outcome == "paused" or report.job_safe else unsafe
        key = (report.name, "job-safe")
        before = [name for *start, name in self._failures if tuple(start) == key]
        for target in dict.fromkeys((*before, *reasons)):
            self._failed(key, "not job-safe", reasons.get(target), target=target)

    def _credential(self, rotation: str, one: CredentialReport, failing: Collection[str]) -> None:
        """Log why a credential is not published, unless that is its source's failure."""
        about = {"registry": one.registry or "", "source": one.source}
        by_source = one.source in failing or (rotation, "source", one.source) in self._failures
        unproven = one.outcome in {"failed", "kept"} and not by_source and one.failure is not None
        if one.outcome in GOOD_CREDENTIAL:
            self._failed((rotation, "registry"), "", None, **about)
        elif one.outcome in {"rejected", "pending"} or unproven:
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


def news(last: Logged | None, what: str | None, now: datetime) -> tuple[News | None, Logged | None]:
    """Return why to log a failure, None where not, and what to remember of it.

    `last`: what was remembered before. `what`: the failure's reason and detail, None where all is
    well again.
    """
    if what is None:
        return (None if last is None else News.ENDED), None
    what = without_numbers(what)
    if last is None:
        return News.BEGAN, Logged(now, {what: now})
    again = replace(last, count=last.count + 1)
    # A clock that was set back must not silence it for longer.
    lately = {each: at for each, at in last.at.items() if timedelta(0) <= now - at < HOUR}
    # Two kinds may alternate from try to try, so each counts by itself.
    if what in lately:
        return None, again
    because = News.LASTS if what in last.at else News.CHANGED
    return because, replace(again, at={**lately, what: now})


def without_numbers(text: str) -> str:
    """Return a text without what may differ from one try to the next."""
    return _VARIES.sub("#", text)
