"""`rotator run`: the daemon."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from rotator import __version__
from rotator.app import utc_now
from rotator.daemon import Daemon
from rotator.observe.logs import configure, log_from_threads
from rotator.signals import Interrupted
from rotator.slots import Runtime
from rotator.system.lock import daemon_lock
from rotator.system.process import Notify, keep_memory_private, steady_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from rotator.config.schema import Configuration
    from rotator.core.report import Report
    from rotator.observe.observer import Observer

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
        observers: list[Observer] = []
        runtime = Runtime(log, Notify(os.environ), utc_now, steady_seconds, reports, reloads)
        daemon = Daemon(load, runtime)
        names = [rotation.name for rotation in configuration.rotations]
        log.info("started", version=__version__, rotations=names)
        if sys.stderr.isatty():
            log.info("the first cycles run now; Ctrl-C stops rotator")
            reports.append(lambda _: log.info(daemon.sentence()))

        def observe(good: bool) -> None:  # noqa: FBT001  a listener gets it by position
            """Show the daemon from when its configuration first wants that."""
            if observers:
                observers[0].reloaded(good)
            elif _is_shown(daemon.configuration):
                observers.append(_observer(daemon, log))
                observers[0].start()
                reports.append(observers[0].add)

        observe(good=True)
        reloads.append(observe)
        code = daemon.run()
        for observer in observers:
            observer.stop()
    if code:
        raise Interrupted(signal.SIGINT, "every cycle that had begun has ended")
    return OK


def _is_shown(configuration: Configuration) -> bool:
    """Tell whether somebody can see it, or the log has to warn of a GitLab token that ends."""
    targets = (target for rotation in configuration.rotations for target in rotation.targets)
    return (
        configuration.http is not None
        or configuration.metrics_file is not None
        or any(target.type == "gitlab_variable" for target in targets)
    )


def _observer(daemon: Daemon, log: FilteringBoundLogger) -> Observer:
    from rotator.observe.observer import Observer, RotationState  # noqa: PLC0415  it takes 3 MB

    def states() -> list[RotationState]:
        # The journal is read each time, as `run-once` beside the daemon writes it too.
        runners = [(slot, slot.runner) for slot in daemon.slots]
        return [
            RotationState(slot.settings, one.rotation, one.ports.journal.load(), slot.report)
            for slot, one in runners
        ]

    return Observer(
        states,
        lambda: daemon.configuration,
        lambda: steady_seconds() - daemon.turned_at < _STUCK,
        utc_now,
        log,
    )
