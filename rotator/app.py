"""Builds rotations from the configuration: the only place that knows every driver.

A driver's module is imported when a rotation uses it, because the SDKs behind the drivers are what
takes time and memory.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import SystemRandom
from threading import Lock
from typing import TYPE_CHECKING, cast

from msgspec import structs

from rotator import sources, targets
from rotator.core.cycle import USUAL, Options, run
from rotator.core.model import Proof, ProofMode, Verdict
from rotator.core.rotation import Ports, Rotation
from rotator.decoding import load
from rotator.system.each import ThreadedEach
from rotator.system.journal import FileJournal
from rotator.system.lock import cycle_lock
from rotator.system.shared_source import Fetches, SharedSource

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from rotator.config.schema import Configuration, RotationSettings
    from rotator.config.sources import Source as SourceSettings
    from rotator.config.targets import Target as TargetSettings
    from rotator.core.facts import Memory
    from rotator.core.ports import Clock, Prove, Source, Target
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
    _inside: bool = field(default=False, repr=False)
    _guard: Lock = field(default_factory=Lock, repr=False)

    def cycle(self, wait: float, options: Options = USUAL) -> Report:
        """Run one cycle under the rotation's lock; see `hold`."""
        with self.hold(wait):
            return self.locked_cycle(options)

    def locked_cycle(self, options: Options = USUAL) -> Report:
        """Run one cycle; the caller holds the lock."""
        report, self.memory = run(self.rotation, self.memory, self.ports, options)
        return report

    @contextmanager
    def hold(self, wait: float) -> Iterator[None]:
        """Hold the rotation's lock for the block, waiting for it up to `wait` seconds.

        Raises `LockHeldError` where another process keeps the lock. It is kept beyond the block
        while a call on a target hangs: a late write must not undo what somebody publishes
        meanwhile. `let_go` then releases it.
        """
        with self._guard:
            self._inside = True
        try:
            if self._lock is None:
                with ExitStack() as stack:
                    name = self.rotation.name
                    stack.enter_context(cycle_lock(self.state_dir, name, wait, self.warn))
                    self._lock = stack.pop_all()
            yield
        finally:
            with self._guard:
                self._inside = False
            self.let_go()

    def let_go(self) -> bool:
        """Release the lock unless something still needs it; tell whether it is free."""
        with self._guard:
            if self._inside or self.each.busy(self.rotation.targets):
                return False
            if self._lock is not None:
                self._lock.close()
                self._lock = None
            return True


class Builder:
    """Builds the rotations of one configuration.

    `warn` gets a sentence for whatever a person should know of the journals and locks.
    """

    def __init__(
        self, configuration: Configuration, warn: Callable[[str], None], clock: Clock = utc_now
    ) -> None:
        self._configuration = configuration
        self._warn = warn
        self._clock = clock
        self._prove = _prover(configuration)
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
                self._target(target)
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
        ports = Ports(journal, self._prove, each, self._clock, SystemRandom().random)
        return Runner(rotation, ports, each, state_dir, self._warn)

    def _source(self, settings: SourceSettings, rotation: str) -> Source:
        module = load(sources.DRIVERS[settings.type])
        wanted = _wanted(settings)
        if self._users[wanted] == 1:
            return cast("Source", module.build(settings, self._clock))
        if wanted not in self._shared:
            driver = cast("Source", module.build(settings, self._clock))
            self._shared[wanted] = Fetches(driver, time.monotonic)
        return SharedSource(settings.name, rotation, self._shared[wanted])

    def _target(self, settings: TargetSettings) -> Target:
        module = load(targets.DRIVERS[settings.type])
        return cast("Target", module.build(settings, settings.policy(), self._clock))


def _prover(configuration: Configuration) -> Prove:
    """Return the proof. What it is made of is loaded only where a rotation proves."""
    if all(rotation.prove is ProofMode.OFF for rotation in configuration.rotations):
        return lambda _: Proof(Verdict.SKIPPED)
    from rotator.registry import RegistryProver  # noqa: PLC0415  requests is slow to load

    access = configuration.registry_access
    return RegistryProver(access.ca_file, access.insecure).prove


def _wanted(settings: SourceSettings) -> str:
    """Return what tells whether two sources ask for the same: everything but the name."""
    return repr(structs.replace(settings, name=""))
