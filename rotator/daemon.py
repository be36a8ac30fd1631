"""`rotator run`: every rotation's cycles at their times, until a signal ends it.

The scheduler holds one date job a rotation, armed again when its cycle has ended. The main thread
only looks: every few seconds it gives the scheduler a job that feeds the watchdog (so a scheduler
that is stuck is noticed), and wakes rotations early where waiting for their time would be wrong.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from rotator.app import Builder, Runner
from rotator.core.cycle import Options
from rotator.core.errors import ConfigError, LockHeldError
from rotator.core.record import Record
from rotator.core.wake import Armed, Wake, wake_reason
from rotator.observe.logs import Teller

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from structlog.typing import FilteringBoundLogger

    from rotator.config.schema import Configuration, RotationSettings
    from rotator.core.ports import Clock
    from rotator.core.report import Report
    from rotator.system.notify import Notify

HEARTBEAT = 5.0
"""Seconds between two looks of the main thread."""

_LOCK_WAIT = 60.0
_AFTER_LOCK = timedelta(seconds=15)
_AFTER_BUG = timedelta(seconds=30)
_STOP_WITHIN = 8.0

# A timer that has not gone off by then was lost.
_LATE = timedelta(seconds=15)


@dataclass(eq=False)
class Slot:
    """One rotation in the daemon: how it was configured, and where it stands."""

    settings: RotationSettings
    runner: Runner
    job: str = ""
    armed: Armed | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)
    report: Report | None = None
    record: Record = field(default_factory=Record)

    @property
    def running(self) -> bool:
        """Tell whether its cycle is running."""
        return self.turn.locked()


@dataclass(frozen=True)
class Outside:
    """What the daemon is given: `reports` hears every report, `reloads` whether one was good."""

    log: FilteringBoundLogger
    notify: Notify
    clock: Clock
    steady: Callable[[], float]
    reports: Sequence[Callable[[Report], None]] = ()
    reloads: Sequence[Callable[[bool], None]] = ()


class Daemon:
    """The running daemon. `load` reads the configuration; `run` returns when a signal ends it."""

    def __init__(self, load: Callable[[], Configuration], outside: Outside) -> None:
        self._load = load
        self._outside = outside
        self._log = outside.log
        self._teller = Teller(outside.log)
        self._configuration = load()
        self._slots: dict[str, Slot] = {}
        self._numbers = itertools.count()
        self._wake = threading.Event()
        self._stopping = False
        self._reload_wanted = False
        self._ready = False
        self.turned_at = outside.steady()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(max_workers=64)},
            # The library's default forgets a job that is a second late.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    @property
    def reports(self) -> dict[str, Report]:
        """The last report of each rotation that has had a cycle."""
        return {name: slot.report for name, slot in self._slots.items() if slot.report}

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; SIGHUP reads the configuration again."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_signal)
        self._scheduler.start()
        self._take(self._configuration)
        while not self._stopping:
            if self._reload_wanted:
                self._reload_wanted = False
                self._reload()
            self._look()
            self._wake.wait(HEARTBEAT)
            self._wake.clear()
        self._stop()

    def _on_signal(self, number: int, _: object) -> None:
        if number == signal.SIGHUP:
            self._reload_wanted = True
        else:
            self._stopping = True
        self._wake.set()

    def _take(self, configuration: Configuration) -> None:
        """Swap in a configuration: rotations that stay as they are keep their schedule."""
        kept, shared = self._slots, _shared(configuration) == _shared(self._configuration)
        self._configuration = configuration
        builder = Builder(configuration, self._log.warning)
        slots: dict[str, Slot] = {}
        for settings in configuration.rotations:
            old = kept.get(settings.name)
            if old is not None and shared and old.settings == settings:
                slots[settings.name] = old
                continue
            new = Slot(settings, builder.runner(settings))
            new.runner.memory = old.runner.memory if old is not None else ()
            slots[settings.name] = new
        self._slots = slots
        for slot in kept.values():
            if slots.get(slot.settings.name) is not slot:
                self._disarm(slot)
        for slot in slots.values():
            if slot not in kept.values():
                self._arm(slot, self._armed())

    def _reload(self) -> None:
        self._outside.notify.reloading()
        try:
            configuration = self._load()
        except ConfigError as error:
            self._log.error(
                "configuration not reloaded",
                problems=list(error.problems),
                hint="the old one goes on; mend the file and reload again",
            )
            good = False
        else:
            self._take(configuration)
            self._log.info("configuration reloaded", rotations=list(self._slots))
            good = True
        for hear in self._outside.reloads:
            hear(good)
        self._outside.notify.ready()

    def _arm(self, slot: Slot, armed: Armed, *, force: bool = False) -> None:
        # A name that was never used: while a job of the same name is ending, the library would
        # drop the new one.
        slot.job = f"{slot.settings.name}#{next(self._numbers)}"
        slot.armed = armed
        self._scheduler.add_job(
            self._cycle, "date", run_date=armed.next_at, args=[slot, force], id=slot.job
        )

    def _armed(self, next_at: datetime | None = None) -> Armed:
        now = self._outside.clock()
        return Armed(next_at or now, now, self._outside.steady())

    def _disarm(self, slot: Slot) -> None:
        with suppress(JobLookupError):  # it has just begun
            self._scheduler.remove_job(slot.job)

    def _cycle(self, slot: Slot, force: bool) -> None:  # noqa: FBT001  the scheduler calls it
        """Run one cycle in a thread of the scheduler, and arm the next."""
        if not slot.turn.acquire(blocking=False):
            return
        log = self._log.bind(rotation=slot.settings.name)
        begun = self._armed()
        next_at: datetime | None = begun.now + _AFTER_BUG
        try:
            options = Options(force=force, starting=slot.report is None)
            report = slot.runner.cycle(_LOCK_WAIT, options)
            slot.record = slot.runner.ports.journal.load()
            slot.report = report
            next_at = report.next_at
            self._teller.tell(report)
            for hear in self._outside.reports:
                hear(report)
        except LockHeldError as error:
            log.warning("cycle put off", detail=str(error))
            next_at = self._outside.clock() + _AFTER_LOCK
        except Exception:
            # Never fatal to the other rotations, and never the end of this one.
            log.exception("cycle failed: this is a bug in rotator", retry_at=str(next_at))
        finally:
            slot.turn.release()
            current = self._slots.get(slot.settings.name) is slot and not self._stopping
            if current and next_at is not None:
                self._arm(slot, replace(begun, next_at=next_at))
            self._wake.set()

    def _look(self) -> None:
        """Feed the watchdog through the scheduler, and wake what should not wait."""
        now, steady = self._outside.clock(), self._outside.steady()
        self._scheduler.add_job(self._turn, "date", run_date=now, id=f"turn#{next(self._numbers)}")
        slots = list(self._slots.values())
        for slot in slots:
            if not slot.running and slot.armed is not None:
                self._wake_early(slot, slot.armed, now, steady)
        if not self._ready and all(slot.report for slot in slots):
            self._ready = True
            self._outside.notify.ready()
        self._outside.notify.status(sentence([s.report for s in slots if s.report], now))

    def _wake_early(self, slot: Slot, armed: Armed, now: datetime, steady: float) -> None:
        """Run a cycle now where its timer would be late: a clock step, a sleep, a new login."""
        rotation = slot.runner.rotation
        reason = wake_reason(armed, rotation, slot.record, now=now, boot=steady)
        late = now - armed.next_at
        if reason is None or (reason is Wake.DUE and late < _LATE):
            return
        self._log.info("cycle begins early", rotation=rotation.name, why=str(reason))
        self._disarm(slot)
        self._arm(slot, self._armed(), force=reason is Wake.CLOCK_BACK)

    def _turn(self) -> None:
        self.turned_at = self._outside.steady()
        self._outside.notify.alive()

    def _stop(self) -> None:
        """Let what runs end; what does not end in time is given up, as a crash would."""
        self._outside.notify.stopping()
        self._log.info("stopping")
        self._scheduler.remove_all_jobs()
        deadline = self._outside.steady() + _STOP_WITHIN
        while any(s.running for s in self._slots.values()) and self._outside.steady() < deadline:
            self._wake.wait(0.1)
            self._wake.clear()
        stuck = [name for name, slot in self._slots.items() if slot.running]
        if stuck:
            self._log.warning("stopped while a cycle was running", rotations=stuck)
            sys.stdout.flush()
            sys.stderr.flush()
            # The interpreter would wait for the threads that hang.
            os._exit(0)
        self._scheduler.shutdown(wait=False)
        self._log.info("stopped")


def sentence(reports: Sequence[Report], now: datetime) -> str:
    """Return in one sentence how the rotations are, for `systemctl status`."""
    if not reports:
        return "starting: the first cycles are running"
    unsafe = [
        report.name for report in reports if not report.job_safe and report.outcome != "paused"
    ]
    if unsafe:
        return f"NOT job-safe: {', '.join(unsafe)}; what to do: rotator status"
    troubled = [report.name for report in reports if report.outcome in {"partial", "failed"}]
    count = f"{len(reports)} rotation{'s' if len(reports) > 1 else ''}"
    if troubled:
        return f"{count}, job-safe, but not all fresh: {', '.join(troubled)}; see rotator status"
    coming = min((r.next_at for r in reports if r.next_at is not None), default=None)
    when = (
        "" if coming is None else f"; next cycle in {max(int((coming - now).total_seconds()), 0)} s"
    )
    return f"{count}, all fresh and job-safe{when}"


def _shared(configuration: Configuration) -> tuple[object, ...]:
    return configuration.state_dir, configuration.registry_access
