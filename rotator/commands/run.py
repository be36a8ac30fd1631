"""`rotator run`: the daemon."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rotator.app import utc_now
from rotator.daemon import Daemon, Outside
from rotator.observe.logs import configure
from rotator.system.lock import daemon_lock
from rotator.system.notify import Notify
from rotator.system.process import keep_memory_private, steady_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.config.schema import Configuration

OK = 0


def execute(load: Callable[[], Configuration]) -> int:
    """Run until a signal comes; raise `ConfigError`, or `LockHeldError` where another one runs."""
    configuration = load()
    log = configure(configuration.log)
    keep_memory_private()
    with daemon_lock(configuration.state_dir, log.warning):
        outside = Outside(log, Notify(os.environ), utc_now, steady_seconds)
        Daemon(load, outside).run()
    return OK
