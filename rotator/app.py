"""Builds rotations from the configuration: the only place that knows every driver.

A driver's module is imported when a rotation uses it, because the SDKs behind the drivers are what
takes time and memory.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from random import SystemRandom
from threading import Lock
from typing import TYPE_CHECKING, cast

from msgspec import Struct, field, structs

from rotator import sources, targets
from rotator.core.cycle import USUAL, Options
from rotator.core.errors import LockHeldError, Reason
from rotator.core.failure import Failure
from rotator.core.model import Proof, ProofMode, Verdict
from rotator.core.parts import run
from rotator.core.ports import Target
from rotator.core.recall import Memory
from rotator.core.rotation import Ports, Rotation
from rotator.decoding import load
from rotator.system.each import ThreadedEach
from rotator.system.journal import FileJournal
from rotator.system.lock import cycle_lock, target_hangs, target_lock
from rotator.system.shared_source import Fetches, SharedSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rotator.config.schema import Configuration, RotationSettings
    from rotator.config.sources import Source as SourceSettings
    from rotator.config.targets import Target as TargetSettings
    from rotator.core.ports import Clock, Prove, Source
    from rotator.core.report import Report


def utc_now() -> datetime:
    """Return the time, as every part of rotator gets it."""
    return datetime.now(UTC)


class Runner(Struct):
    """One rotation that is ready to run: its cycles, one after another, each under its lock."""

    rotation: Rotation
    ports: Ports
    each: ThreadedEach
    state_dir: Path
    warn: Callable[[str], None]
    memory: Memory = field(default_factory=Memory)
    _locks: dict[str, ExitStack] = {}
    _guard: Lock = field(default_factory=Lock)

    def locked_cycle(self, options: Options = USUAL) -> Report:
        """Run one cycle; the caller holds the lock."""
        options = structs.replace(options, out_of_reach=self._out_of_reach)
        report, self.memory = run(self.rotation, self.memory, self.ports, options)
        return report

    @contextmanager
    def hold(self, wait: float) -> Iterator[None]:
        """Hold the rotation's lock for the block, waiting for it up to `wait` seconds.

        Raises `LockHeldError` where another process has the lock. The locks of targets whose calls
        hang are held beyond the block: a late write must not undo what somebody publishes
        meanwhile, and other processes leave these targets out. `release` then gives them free.
        """
        with cycle_lock(self.state_dir, self.rotation.name, wait, self.warn):
            try:
                yield
            finally:
                self._hold_hanging()

    def release(self) -> bool:
        """Release the locks of targets that no longer hang; tell whether none is left."""
        with self._guard:
            running = self._hanging()
            for name in self._locks.keys() - running:
                self._locks.pop(name).close()
            return not running

    def _hold_hanging(self) -> None:
        with self._guard:
            for name in self._hanging() - self._locks.keys():
                lock = target_lock(self.state_dir, self.rotation.name, name, self.warn)
                stack = ExitStack()
                with suppress(LockHeldError):  # another process hangs in it, too
                    stack.enter_context(lock)
                    self._locks[name] = stack

    def _hanging(self) -> set[str]:
        return {item.name for item in self.each.running() if isinstance(item, Target)}

    def _out_of_reach(self, target: str) -> Failure | None:
        """Return why a target is left alone: a call of another process on it hangs."""
        if target in self._locks:
            return None  # it is our own: the fan-out leaves it alone
        held = target_hangs(self.state_dir, self.rotation.name, target)
        if held is None:
            return None
        return Failure(
            Reason.TIMEOUT,
            f"left out, as a call on it hangs in another process: {held}",
            "see what that call waits for (a mount, a name server, a proxy); "
            "it is written once the call has ended",
        )


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
            source.asks_for() for rotation in configuration.rotations for source in rotation.sources
        )
        self._shared: dict[str, Fetches] = {}

    def runner(self, settings: RotationSettings) -> Runner:
        """Return a rotation with its drivers."""
        rotation = Rotation(
            name=settings.name,
            sources=tuple(self._source(source, settings.name) for source in settings.sources),
            targets=tuple(self._target(target) for target in settings.targets),
            schedule=settings.timing(),
            proof=settings.prove,
            remove=frozenset(settings.remove),
            enabled=settings.enabled,
            settle=settings.settle,
        )
        state_dir = self._configuration.state_dir
        journal = FileJournal(state_dir, settings.name, self._warn)
        each = ThreadedEach()
        ports = Ports(journal, self._prove, each, self._clock, SystemRandom().random, time.sleep)
        return Runner(rotation, ports, each, state_dir, self._warn)

    def _source(self, settings: SourceSettings, rotation: str) -> Source:
        module = load(sources.DRIVERS[settings.type].module)
        wanted = settings.asks_for()
        if self._users[wanted] == 1:
            source = cast("Source", module.build(settings, self._clock))
        else:
            if wanted not in self._shared:
                driver = cast("Source", module.build(settings, self._clock))
                self._shared[wanted] = Fetches(driver, time.monotonic)
            source = SharedSource(settings.name, rotation, self._shared[wanted])
        source.configured = settings.configured()
        return source

    def _target(self, settings: TargetSettings) -> Target:
        module = load(targets.DRIVERS[settings.type].module)
        target = cast("Target", module.build(settings, settings.policy(), self._clock))
        target.configured = settings.configured()
        return target


def _prover(configuration: Configuration) -> Prove:
    """Return the proof; its modules are loaded only where a rotation proves."""
    if all(rotation.prove is ProofMode.OFF for rotation in configuration.rotations):
        return lambda _: Proof(Verdict.SKIPPED)
    from rotator.registry.prover import RegistryProver  # noqa: PLC0415  requests is slow to load

    access = configuration.registry_access
    return RegistryProver(access.ca_file, access.insecure).prove
