"""The daemon's rotations: each cycle is a job of the scheduler, set when the one before has ended.

Timers alone would be late where the clock was set, a login was replaced, or a file was edited:
`wake` begins a cycle early then.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.app import Builder, Runner
from rotator.core.cycle import Options
from rotator.core.due import Armed, Wake, wake_reason
from rotator.core.errors import LockHeldError
from rotator.core.record import Record
from rotator.observe.report_log import ReportLog
from rotator.observe.safety import safety
from rotator.system.timetable import Timetable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from rotator.config.schema import Configuration, RotationSettings
    from rotator.core.ports import Clock
    from rotator.core.report import Report
    from rotator.system.process import Notify
    from rotator.system.watch import Watch

# Shorter than a stop may take, so that it never has to be cut off.
_LOCK_WAIT = 5.0
_AFTER_LOCK = timedelta(seconds=10)
_AFTER_BUG = timedelta(seconds=30)

# A timer that has not gone off by then was lost.
_LATE = timedelta(seconds=15)


@dataclass(eq=False)
class Slot:
    """One rotation: how it was configured, and how its last cycle ended.

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
    """What the daemon is given: `reports` get every report, `reloads` whether one was good."""

    log: FilteringBoundLogger
    notify: Notify
    clock: Clock
    steady: Callable[[], float]
    reports: Sequence[Callable[[Report], None]] = ()
    reloads: Sequence[Callable[[bool], None]] = ()


class Slots:
    """Every rotation in use, each with its job.

    `woken` is called where the main loop has something to do.
    """

    def __init__(self, runtime: Runtime, woken: Callable[[], None]) -> None:
        self._runtime = runtime
        self._log = runtime.log
        self._clock = runtime.clock
        self._woken = woken
        self._report_log = ReportLog(runtime.log, runtime.clock)
        self._slots: dict[str, Slot] = {}
        self._leaving: list[Slot] = []
        self._configuration: Configuration | None = None
        self._watch: Watch | None = None
        self._closed = False
        self.timetable = Timetable(self._job_failed)

    @property
    def current(self) -> Sequence[Slot]:
        """The rotations that are configured, in that order."""
        return tuple(self._slots.values())

    def swap(self, configuration: Configuration) -> None:
        """Take a configuration: rotations that stay as they are keep their schedule.

        A cycle that runs goes on to its end; its successor waits for the rotation's lock.
        """
        before, old = self._configuration, self._slots
        builder = Builder(configuration, self._report_log.warning, self._clock)
        stays = before is None or before.registry_access == configuration.registry_access
        slots: dict[str, Slot] = {}
        for settings in configuration.rotations:
            previous = old.get(settings.name)
            if previous is not None and stays and previous.settings == settings:
                slots[settings.name] = previous
                continue
            new = Slot(settings, builder.runner(settings))
            if previous is not None:
                new.runner.memory, new.record = previous.runner.memory, previous.record
            slots[settings.name] = new
        self._configuration, self._slots = configuration, slots
        for name, slot in old.items():
            if slots.get(name) is not slot:
                self.timetable.forget(name)
                self._leaving.append(slot)
        for name, slot in slots.items():
            if old.get(name) is not slot:
                self._arm(slot, self._armed())
        self._watch_files()

    def wake(self) -> None:
        """Begin a cycle now where its timer would be late; give free what hangs no longer."""
        now, steady = self._clock(), self._runtime.steady()
        for slot in self.current:
            slot.runner.release()
            # Read once: a cycle that begins meanwhile sets it to None, in a thread of its own.
            armed = slot.armed
            if armed is not None and not slot.running:
                self._wake(slot, armed, now, steady)
        self._leaving = [s for s in self._leaving if s.running or not s.runner.release()]

    def close(self) -> None:
        """Begin no cycle any more."""
        self._closed = True
        self.timetable.clear()
        if self._watch is not None:
            self._watch.close()

    def running(self) -> list[str]:
        """Return the names of the rotations whose cycles run, of those that have left too."""
        every = (*self.current, *self._leaving)
        return sorted({slot.settings.name for slot in every if slot.running})

    def without_next(self) -> list[str]:
        """Return the enabled rotations that have no next cycle, and none that runs."""
        return [
            slot.settings.name
            for slot in self.current
            if slot.settings.enabled and slot.armed is None and not slot.running
        ]

    def _wake(self, slot: Slot, armed: Armed, now: datetime, steady: float) -> None:
        changed, slot.changed = slot.changed, False
        rotation = slot.runner.rotation
        reason = wake_reason(armed, rotation, slot.record, now=now, boot=steady)
        if reason is None or (reason is Wake.DUE and now - armed.next_at < _LATE):
            if changed:
                self._arm(slot, self._armed())
            return
        self._arm(slot, self._armed(), force=reason is Wake.CLOCK_BACK)
        self._log.info("cycle begins early", rotation=rotation.name, why=str(reason))

    def _watch_files(self) -> None:
        """Have a cycle run at once where somebody changes a file that we publish."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        paths = {path for slot in self.current if slot.settings.enabled for path in slot.watched}
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
        for slot in self.current:
            if path in slot.watched:
                slot.changed = True
        self._woken()

    def _arm(self, slot: Slot, armed: Armed, *, force: bool = False) -> None:
        slot.armed = armed
        wait = armed.next_at - self._clock()
        self.timetable.set(slot.settings.name, wait, self._cycle, slot, force)

    def _armed(self) -> Armed:
        now = self._clock()
        return Armed(now, now, self._runtime.steady())

    def _is_current(self, slot: Slot) -> bool:
        return not self._closed and self._slots.get(slot.settings.name) is slot

    def _cycle(self, slot: Slot, force: bool) -> None:  # noqa: FBT001  the timetable calls it
        """Run one cycle in a thread of the timetable, and arm the next."""
        if not slot.turn.acquire(blocking=False):
            return  # the one that runs arms the next
        slot.armed, begun = None, self._armed()
        next_at: datetime | None = None
        try:
            report = self._run(slot, Options(force=force, starting=slot.report is None))
            if report is not None:
                next_at = report.next_at
                self._show(slot, report)
        except LockHeldError as error:
            next_at = self._clock() + _AFTER_LOCK
            self._report_log.put_off(slot.settings.name, str(error), next_at)
        except BaseException:
            next_at = next_at or self._clock() + _AFTER_BUG
            raise
        finally:
            slot.tried = True
            slot.turn.release()
            if next_at is not None and self._is_current(slot):
                self._arm(slot, replace(begun, next_at=next_at))
            # Only now: what changed meanwhile is dealt with where a timer is set.
            self._woken()

    def _run(self, slot: Slot, options: Options) -> Report | None:
        """Run a cycle and return its report, None where the rotation is no longer configured."""
        with slot.runner.hold(_LOCK_WAIT):
            # While it waited for the lock, a reload may have put another in its place.
            if not self._is_current(slot):
                return None
            report = slot.runner.locked_cycle(options)
        slot.record = slot.runner.ports.journal.load()
        slot.report = report
        return report

    def _show(self, slot: Slot, report: Report) -> None:
        """Log what a cycle did, and give it to all who show the daemon."""
        safe = safety(slot.settings, slot.record, self._clock())
        self._report_log.write(report, safe.reasons())
        for add in self._runtime.reports:
            add(report)

    def _job_failed(self, name: str, error: BaseException | None) -> None:
        """Log a cycle that ended by a bug, or was not begun: it is not the rotation's last."""
        slot = self._slots.get(name)
        # One that ended has set its timer.
        if error is None and slot is not None and not slot.running and not self._closed:
            armed = self._armed()
            self._arm(slot, replace(armed, next_at=armed.now + _AFTER_BUG))
        if error is None:
            self._log.error("cycle not begun: the scheduler left it out", rotation=name)
        else:
            self._report_log.crashed(name, error)
        self._woken()
