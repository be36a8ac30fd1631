"""`rotator run`: every rotation's cycles at their times, until a signal ends it.

Each rotation has one timer, set again when its cycle has ended. The main thread only looks: every
few seconds it has the timetable feed the watchdog (so a timetable that is stuck is noticed), and
wakes rotations early where waiting for their time would be wrong.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.app import Builder, Runner
from rotator.core.cycle import Options
from rotator.core.due import Armed, Wake, wake_reason
from rotator.core.errors import ConfigError, LockHeldError
from rotator.core.record import Record
from rotator.observe.logs import ReportLog
from rotator.observe.sentence import sentence
from rotator.system.timetable import Timetable
from rotator.system.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from rotator.config.schema import Configuration, RotationSettings
    from rotator.core.ports import Clock
    from rotator.core.report import Report
    from rotator.system.notify import Notify
    from rotator.system.watch import Watch

HEARTBEAT = 5.0
"""Seconds between two looks of the main thread."""

# Shorter than a stop may take, so that it never has to be cut off.
_LOCK_WAIT = 5.0
_AFTER_LOCK = timedelta(seconds=10)
_AFTER_BUG = timedelta(seconds=30)
_STOP_WITHIN = 6.0

# A timer that has not gone off by then was lost.
_LATE = timedelta(seconds=15)


@dataclass(eq=False)
class Slot:
    """One rotation in the daemon: how it was configured, and where it stands.

    `armed`: what its timer waits for, None while a cycle runs and where it is paused. `tried`: its
    first cycle has ended, whatever came of it. `changed`: somebody changed a file it publishes.
    """

    settings: RotationSettings
    runner: Runner
    armed: Armed | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)
    tried: bool = False
    changed: bool = False
    report: Report | None = None
    record: Record = field(default_factory=Record)

    @property
    def watched(self) -> set[Path]:
        """Return the files that it publishes."""
        targets = self.runner.rotation.targets
        return {t.watched for t in targets if t.watched is not None and t.policy.enabled}

    @property
    def running(self) -> bool:
        """Tell whether its cycle is running."""
        return self.turn.locked()


@dataclass(frozen=True)
class Runtime:
    """What the daemon is given: `reports` hears every report, `reloads` whether one was good."""

    log: FilteringBoundLogger
    notify: Notify
    clock: Clock
    steady: Callable[[], float]
    reports: Sequence[Callable[[Report], None]] = ()
    reloads: Sequence[Callable[[bool], None]] = ()


class Daemon:
    """The running daemon. `load` reads the configuration; `run` returns when a signal ends it."""

    def __init__(self, load: Callable[[], Configuration], runtime: Runtime) -> None:
        self._load = load
        self._runtime = runtime
        self._log = runtime.log
        self._report_log = ReportLog(runtime.log)
        self._configuration = load()
        self._slots: dict[str, Slot] = {}
        self._leaving: list[Slot] = []
        self._wakeup = Wakeup()
        self._stopping = False
        self._reload_wanted = False
        self._ready = False
        self.turned_at = runtime.steady()
        self._timetable = Timetable()
        self._watch: Watch | None = None

    @property
    def configuration(self) -> Configuration:
        """The configuration in use."""
        return self._configuration

    @property
    def slots(self) -> Sequence[Slot]:
        """Every rotation in use, in the configuration's order."""
        return tuple(self._slots.values())

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; SIGHUP reads the configuration again."""
        signal.signal(signal.SIGTERM, lambda *_: self.stop())
        signal.signal(signal.SIGINT, lambda *_: self.stop())
        signal.signal(signal.SIGHUP, lambda *_: self.reload())
        self.serve()

    def stop(self) -> None:
        """Have `serve` return soon; may be called from anywhere, and again."""
        self._stopping = True
        self._wakeup.wake()

    def reload(self) -> None:
        """Have `serve` read the configuration again; may be called from anywhere."""
        self._reload_wanted = True
        self._wakeup.wake()

    def serve(self) -> None:
        """Run until `stop`."""
        self._timetable.start()
        self._swap(self._configuration)
        while not self._stopping:
            if self._reload_wanted:
                self._reload_wanted = False
                self._reload()
            self._look()
            self._wakeup.wait(HEARTBEAT)
        self._end()

    def _swap(self, configuration: Configuration) -> None:
        """Take a configuration: rotations that stay as they are keep their schedule.

        A cycle that runs goes on to its end; its successor waits for the rotation's lock.
        """
        before = self._slots
        builder = Builder(configuration, self._log.warning, self._runtime.clock)
        stays = configuration.registry_access == self._configuration.registry_access
        slots: dict[str, Slot] = {}
        for settings in configuration.rotations:
            old = before.get(settings.name)
            if old is not None and stays and old.settings == settings:
                slots[settings.name] = old
                continue
            new = Slot(settings, builder.runner(settings))
            if old is not None:
                new.runner.memory = old.runner.memory
            slots[settings.name] = new
        self._configuration, self._slots = configuration, slots
        for name, slot in before.items():
            if slots.get(name) is not slot:
                self._timetable.forget(name)
                self._leaving.append(slot)
        for name, slot in slots.items():
            if before.get(name) is not slot:
                self._arm(slot, self._armed())
        self._watch_files()

    def _watch_files(self) -> None:
        """Have a cycle run at once where somebody changes a file that we publish."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        paths = {path for slot in self.slots if slot.settings.enabled for path in slot.watched}
        if not paths:
            return
        from rotator.system.watch import Watch  # noqa: PLC0415  it takes 3 MB

        self._watch = Watch(
            paths,
            self._file_changed,
            lambda detail: self._log.warning("files are not watched", detail=detail),
        )
        self._watch.start()

    def _file_changed(self, path: Path) -> None:
        for slot in self.slots:
            if path in slot.watched:
                slot.changed = True
        self._wakeup.wake()

    def _reload(self) -> None:
        # Before the start has ended, a manager would take this for its end.
        if self._ready:
            self._runtime.notify.reloading()
        good = False
        try:
            self._swap(self._reloadable(self._load()))
            self._log.info("configuration reloaded", rotations=list(self._slots))
            good = True
        except ConfigError as error:
            self._log.error(
                "configuration not reloaded",
                problems=list(error.problems),
                hint="the old one goes on; correct the file and reload again",
            )
        except Exception:  # noqa: BLE001  never fatal to what runs
            self._log.exception("configuration not reloaded: this is a bug in rotator")
        for hear in self._runtime.reloads:
            hear(good)
        if self._ready:
            self._runtime.notify.ready()

    def _reloadable(self, new: Configuration) -> Configuration:
        """Return the configuration without what only a restart can change."""
        old = self._configuration
        keys = [key for key in ("state_dir", "log") if getattr(new, key) != getattr(old, key)]
        if keys:
            hint = "restart rotator"
            self._log.warning("changed, but counts from the next start on", keys=keys, hint=hint)
        return replace(new, **{key: getattr(old, key) for key in keys})

    def _arm(self, slot: Slot, armed: Armed, *, force: bool = False) -> None:
        slot.armed = armed
        wait = armed.next_at - self._runtime.clock()
        self._timetable.set(slot.settings.name, wait, self._cycle, slot, force)

    def _armed(self) -> Armed:
        now = self._runtime.clock()
        return Armed(now, now, self._runtime.steady())

    def _is_current(self, slot: Slot) -> bool:
        return not self._stopping and self._slots.get(slot.settings.name) is slot

    def _cycle(self, slot: Slot, force: bool) -> None:  # noqa: FBT001  the timetable calls it
        """Run one cycle in a thread of the timetable, and arm the next."""
        if not slot.turn.acquire(blocking=False):
            return  # the one that runs arms the next
        log = self._log.bind(rotation=slot.settings.name)
        slot.armed, begun = None, self._armed()
        next_at: datetime | None = begun.now + _AFTER_BUG
        try:
            next_at = self._run(slot, Options(force=force, starting=slot.report is None))
        except LockHeldError as error:
            next_at = self._runtime.clock() + _AFTER_LOCK
            log.warning("cycle put off", detail=str(error), retry_at=str(next_at))
        except Exception:
            # Never fatal to the other rotations, and never the end of this one.
            log.exception("cycle failed: this is a bug in rotator", retry_at=str(next_at))
        finally:
            slot.tried = True
            slot.turn.release()
            if next_at is not None and self._is_current(slot):
                self._arm(slot, replace(begun, next_at=next_at))
            self._wakeup.wake()

    def _run(self, slot: Slot, options: Options) -> datetime | None:
        """Run a cycle, tell what it did, and return when the next begins; None: never."""
        with slot.runner.hold(_LOCK_WAIT):
            # While it waited for the lock, a reload may have put another in its place.
            if not self._is_current(slot):
                return None
            report = slot.runner.locked_cycle(options)
        slot.record = slot.runner.ports.journal.load()
        slot.report = report
        self._report_log.write(report)
        for hear in self._runtime.reports:
            hear(report)
        return report.next_at

    def _look(self) -> None:
        """Feed the watchdog through the timetable, and wake what should not wait."""
        self._timetable.pulse(self._turn)
        now, steady = self._runtime.clock(), self._runtime.steady()
        slots = self.slots
        for slot in slots:
            slot.runner.release()
            if slot.armed is not None:
                self._wake_early(slot, slot.armed, now, steady)
        self._leaving = [s for s in self._leaving if s.running or not s.runner.release()]
        if not self._ready and all(slot.tried for slot in slots):
            self._ready = True
            self._runtime.notify.ready()
        self._runtime.notify.status(sentence([s.report for s in slots if s.report], now))

    def _wake_early(self, slot: Slot, armed: Armed, now: datetime, steady: float) -> None:
        """Run a cycle now where its timer would be late: a clock step, a new login, an edit."""
        if slot.changed:
            slot.changed = False
            self._arm(slot, self._armed())
            return
        rotation = slot.runner.rotation
        reason = wake_reason(armed, rotation, slot.record, now=now, boot=steady)
        late = now - armed.next_at
        if reason is None or (reason is Wake.DUE and late < _LATE):
            return
        self._log.info("cycle begins early", rotation=rotation.name, why=str(reason))
        self._arm(slot, self._armed(), force=reason is Wake.CLOCK_BACK)

    def _turn(self) -> None:
        self.turned_at = self._runtime.steady()
        self._runtime.notify.alive()

    def _end(self) -> None:
        """Wait for cycles that run; one that does not end in time is given up, as by a crash."""
        self._runtime.notify.stopping()
        self._log.info("stopping")
        self._timetable.clear()
        if self._watch is not None:
            self._watch.close()
        deadline = self._runtime.steady() + _STOP_WITHIN
        slots = [*self.slots, *self._leaving]
        while (stuck := [s for s in slots if s.running]) and self._runtime.steady() < deadline:
            self._wakeup.wait(0.1)
        if stuck:
            names = sorted({slot.settings.name for slot in stuck})
            self._log.warning("stopped while a cycle was running", rotations=names)
            sys.stdout.flush()
            sys.stderr.flush()
            # The interpreter would wait for the threads that hang.
            os._exit(0)
        self._timetable.close()
        self._log.info("stopped")
