"""Builds rotations from the configuration: the only place that knows every driver.

A driver's module is imported when a rotation uses it, because the SDKs behind the drivers are what
takes time and memory.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from random import SystemRandom
from typing import TYPE_CHECKING, cast

from rotator import sources, targets
from rotator.core.cycle import USUAL, Options, run
from rotator.core.rotation import Ports, Rotation
from rotator.registry import RegistryProver
from rotator.system.each import ThreadedEach
from rotator.system.journal import FileJournal
from rotator.system.lock import cycle_lock
from rotator.system.shared_source import Fetches, SharedSource

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from rotator.config.schema import Configuration, RotationSettings
    from rotator.config.sources import Source as SourceSettings
    from rotator.config.targets import Target as TargetSettings
    from rotator.core.facts import Memory
    from rotator.core.ports import Source, Target
    from rotator.core.report import Report


def utc_now() -> datetime:
    """Return the time, as every part of rotator gets it."""
    return datetime.now(UTC)


@dataclass
class Runner:
    """One rotation that is ready to run: its cycles, one after another, each under its lock."""

    rotation: Rotation
    ports: Ports
    each: ThreadedEach
    state_dir: Path
    warn: Callable[[str], None]
    memory: Memory = ()
    _lock: ExitStack | None = field(default=None, repr=False)

    def cycle(self, wait: float, options: Options = USUAL) -> Report:
        """Run one cycle under the rotation's lock, waiting for it up to `wait` seconds.

        Raises `LockHeldError` where another process keeps the lock. The lock is kept where a call
        of this cycle still hangs: a late write must not undo what somebody publishes meanwhile.
        """
        if self._lock is None:
            with ExitStack() as stack:
                stack.enter_context(cycle_lock(self.state_dir, self.rotation.name, wait, self.warn))
                self._lock = stack.pop_all()
        try:
            report, self.memory = run(self.rotation, self.memory, self.ports, options)
        finally:
            if not self.each.busy():
                self._lock.close()
                self._lock = None
        return report


class Builder:
    """Builds the rotations of one configuration.

    `warn` gets a sentence for whatever a person should know of the journals and locks.
    """

    def __init__(self, configuration: Configuration, warn: Callable[[str], None]) -> None:
        self._configuration = configuration
        self._warn = warn
        access = configuration.registry_access
        self._prove = RegistryProver(access.ca_file, access.insecure).prove
        self._users = Counter(
            _wanted(source) for rotation in configuration.rotations for source in rotation.sources
        )
        self._shared: dict[str, Fetches] = {}

    def runner(self, settings: RotationSettings, only_targets: Collection[str] = ()) -> Runner:
        """Return a rotation with its drivers; `only_targets`: names to keep, all where empty."""
        rotation = Rotation(
            name=settings.name,
            sources=tuple(self._source(source, settings.name) for source in settings.sources),
            targets=tuple(
                _target(target)
                for target in settings.targets
                if not only_targets or target.target_name in only_targets
            ),
            schedule=settings.timing(),
            proof=settings.prove,
            remove=frozenset(settings.remove),
            enabled=settings.enabled,
        )
        state_dir = self._configuration.state_dir
        journal = FileJournal(state_dir, settings.name, self._warn)
        each = ThreadedEach()
        ports = Ports(journal, self._prove, each, utc_now, SystemRandom().random)
        return Runner(rotation, ports, each, state_dir, self._warn)

    def _source(self, settings: SourceSettings, rotation: str) -> Source:
        module = import_module(sources.DRIVERS[settings.type])
        wanted = _wanted(settings)
        if self._users[wanted] == 1:
            return cast("Source", module.build(settings, utc_now))
        if wanted not in self._shared:
            driver = cast("Source", module.build(settings, utc_now))
            self._shared[wanted] = Fetches(driver, time.monotonic)
        return SharedSource(settings.name, rotation, self._shared[wanted])


def _wanted(settings: SourceSettings) -> str:
    """Return what tells whether two sources ask for the same: everything but the name."""
    return settings.model_dump_json(exclude={"name"})


def _target(settings: TargetSettings) -> Target:
    module = import_module(targets.DRIVERS[settings.type])
    return cast("Target", module.build(settings, settings.policy(), utc_now))
