"""`rotator run`: the daemon."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rotator import __version__
from rotator.app import utc_now
from rotator.daemon import Daemon
from rotator.observe.bugs import log_from_threads
from rotator.observe.logs import configure
from rotator.observe.phrases import sentence
from rotator.slots import Runtime
from rotator.system.lock import daemon_lock
from rotator.system.notify import Notify
from rotator.system.process import keep_memory_private, steady_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from rotator.config.schema import Configuration
    from rotator.core.report import Report
    from rotator.observe.observer import Observer, RotationState

OK = 0

# Seconds after which a loop that has not turned is stuck.
_STUCK = 60.0


def execute(load: Callable[[], Configuration]) -> int:
    """Run until a signal comes; raise `ConfigError`, or `LockHeldError` where another one runs."""
    configuration = load()
    log = configure(configuration.log)
    keep_memory_private()
    log_from_threads(log)
    with daemon_lock(configuration.state_dir, log.warning):
        reports: list[Callable[[Report], None]] = []
        reloads: list[Callable[[bool], None]] = []
        runtime = Runtime(log, Notify(os.environ), utc_now, steady_seconds, reports, reloads)
        daemon = Daemon(load, runtime)
        names = [rotation.name for rotation in configuration.rotations]
        log.info("started", version=__version__, rotations=names)
        if sys.stderr.isatty():
            log.info("the first cycles run now; Ctrl-C stops rotator")
            reports.append(lambda _: log.info(_next(daemon)))
        shown = Shown(daemon, log)
        reports.append(shown.add)
        reloads.append(shown.reloaded)
        shown.begin()
        code = daemon.run()
        shown.end()
    if code:
        raise KeyboardInterrupt("every cycle that had begun has ended")
    return OK


def _next(daemon: Daemon) -> str:
    """Return how the rotations are and what comes next, for who watches a terminal."""
    return sentence([slot.report for slot in daemon.slots if slot.report], utc_now())


class Shown:
    """A daemon's observer, there once something is to be shown or watched: it takes 3 MB."""

    def __init__(self, daemon: Daemon, log: FilteringBoundLogger) -> None:
        self._daemon = daemon
        self._log = log
        self._observer: Observer | None = None

    def begin(self) -> None:
        """Make the observer, if it is wanted and not there yet."""
        wanted = self._daemon.configuration
        shows = wanted.http is not None or wanted.metrics_file is not None
        if self._observer is not None or not (shows or _has_access_token(wanted)):
            return
        from rotator.observe.observer import Observer  # noqa: PLC0415  see the class

        self._observer = Observer(
            self._states,
            lambda: self._daemon.configuration,
            lambda: steady_seconds() - self._daemon.turned_at < _STUCK,
            utc_now,
            self._log,
        )
        self._observer.start()

    def add(self, report: Report) -> None:
        """Pass a report on."""
        if self._observer is not None:
            self._observer.add(report)

    def reloaded(self, good: bool) -> None:  # noqa: FBT001  a listener gets it by position
        """Pass on whether a reload was good."""
        self.begin()
        if self._observer is not None:
            self._observer.reloaded(good)

    def end(self) -> None:
        """Show nothing any more."""
        if self._observer is not None:
            self._observer.stop()

    def _states(self) -> list[RotationState]:
        from rotator.observe.observer import RotationState  # noqa: PLC0415  see the class

        # The journal is read each time, as `run-once` beside the daemon writes it too.
        runners = [(slot, slot.runner) for slot in self._daemon.slots]
        return [
            RotationState(slot.settings, one.rotation, one.ports.journal.load(), slot.report)
            for slot, one in runners
        ]


def _has_access_token(configuration: Configuration) -> bool:
    """Tell whether GitLab is written with a token that ends, of which the log warns in time."""
    return any(
        target.type == "gitlab_variable"
        for rotation in configuration.rotations
        for target in rotation.targets
    )
