"""`rotator run`: every rotation's cycles at their times, until a signal ends it.

The main thread runs no cycle. Every few seconds it has the scheduler feed the watchdog, so that a
scheduler that is stuck is noticed, and wakes rotations whose timers would be late (`slots`).
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.config.typed import completed
from rotator.core.errors import ConfigError
from rotator.observe.phrases import sentence
from rotator.signals import ignore
from rotator.slots import Runtime, Slot, Slots
from rotator.system.process import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rotator.config.schema import Configuration

HEARTBEAT = 5.0
"""Seconds between two rounds of the main thread."""

_STOP_WITHIN = 6.0
_INTERRUPTED = 130


class Daemon:
    """The running daemon. `load` reads the configuration; `run` returns when a signal ends it.

    `code`: the exit code, which says whether somebody pressed Ctrl-C. `turned_at`: when the
    scheduler last showed that it is not stuck, and every rotation had a next cycle.
    """

    def __init__(self, load: Callable[[], Configuration], runtime: Runtime) -> None:
        self._load = load
        self._runtime = runtime
        self._log = runtime.log
        self._wakeup = Wakeup()
        self._slots = Slots(runtime, self._wakeup.wake)
        self._stopping = False
        self._urged = False
        self._reload_wanted = False
        self._ready = False
        self.configuration = load()
        self.code = 0
        self.turned_at = runtime.steady()

    @property
    def slots(self) -> Sequence[Slot]:
        """Every rotation in use, in the configuration's order."""
        return self._slots.current

    def sentence(self) -> str:
        """Return how the rotations are and what comes next."""
        reports = [slot.report for slot in self.slots if slot.report]
        return completed(sentence(reports, self._runtime.clock()), self.configuration.file)

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; SIGHUP reads the configuration again."""
        signal.signal(signal.SIGTERM, lambda *_: self.stop())
        signal.signal(signal.SIGINT, lambda *_: self.stop(_INTERRUPTED))
        signal.signal(signal.SIGHUP, lambda *_: self.reload())
        self.serve()
        ignore()
        return self.code

    def stop(self, code: int = 0) -> None:
        """Have `serve` return soon; may be called from anywhere, and again."""
        if self._stopping:
            self._urged = True
        else:
            self.code = code
            self._stopping = True
        self._wakeup.wake()

    def reload(self) -> None:
        """Have `serve` read the configuration again; may be called from anywhere."""
        self._reload_wanted = True
        self._wakeup.wake()

    def serve(self) -> None:
        """Run until `stop`."""
        self._slots.timetable.start()
        self._slots.swap(self.configuration)
        while not self._stopping:
            if self._reload_wanted:
                self._reload_wanted = False
                self._reload()
            self._slots.wake()
            self._notify()
            # Last: the scheduler and its thread need not wait for this one then.
            self._slots.timetable.pulse(self._turn)
            self._wakeup.wait(HEARTBEAT)
        self._end()

    def _turn(self) -> None:
        # A rotation that would never run again is as bad as a loop that is stuck. For an instant
        # after each cycle it looks so: one round that is missed does no harm.
        if self._slots.without_next():
            return
        self.turned_at = self._runtime.steady()
        self._runtime.notify.alive()

    def _notify(self) -> None:
        if not self._ready and all(slot.tried for slot in self.slots):
            self._ready = True
            self._runtime.notify.ready()
        self._runtime.notify.status(self.sentence())

    def _reload(self) -> None:
        # Before the start has ended, a manager would take this for its end.
        if self._ready:
            self._runtime.notify.reloading()
        good = False
        try:
            configuration = self._reloadable(self._load())
            self._slots.swap(configuration)
            self.configuration = configuration
            names = [slot.settings.name for slot in self.slots]
            self._log.info("configuration reloaded", rotations=names)
            good = True
        except ConfigError as error:
            self._log.error(
                "configuration not reloaded",
                problems=list(error.problems),
                hint="the old one goes on; repair the file and reload again",
            )
        except Exception:  # noqa: BLE001  never fatal to what runs
            self._log.exception("configuration not reloaded: this is a bug in rotator")
        for add in self._runtime.reloads:
            add(good)
        if self._ready:
            self._runtime.notify.ready()

    def _reloadable(self, new: Configuration) -> Configuration:
        """Return the configuration without what only a restart can change."""
        old = self.configuration
        keys = [key for key in ("state_dir", "log") if getattr(new, key) != getattr(old, key)]
        if keys:
            hint = "restart rotator"
            self._log.warning("changed, but counts from the next start on", keys=keys, hint=hint)
        return replace(new, **{key: getattr(old, key) for key in keys})

    def _end(self) -> None:
        """Wait for cycles that run; one that does not end in time is given up, as by a crash."""
        deadline = self._runtime.steady() + _STOP_WITHIN
        self._runtime.notify.stopping()
        self._log.info("stopping")
        self._slots.close()
        while (stuck := self._slots.running()) and (left := deadline - self._runtime.steady()) > 0:
            if self._urged:
                self._urged = False
                note = f"cycles that run get {left:.1f} s more to end well"
                self._log.info("still stopping", note=note, rotations=stuck)
            self._wakeup.wait(0.1)
        if stuck:  # pragma: no cover  it ends the process: tests/e2e/test_daemon_stop.py
            self._log.warning("stopped while a cycle was running", rotations=stuck)
            sys.stdout.flush()
            sys.stderr.flush()
            # The interpreter would wait for the threads that hang.
            os._exit(self.code)
        self._slots.timetable.close()
        self._log.info("stopped")
