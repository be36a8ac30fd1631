"""One rotator: its machine with a clock, its journal, and processes that can die in any call.

The daemon keeps its contract: a cycle at `next_at`, and a heartbeat every 5 s that runs one early
where `wake_reason` says so. `run-once` is another process with the same journal and the same lock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from rotator.core import cycle, due, parts
from rotator.core.due import Armed, Wake
from rotator.core.errors import Reason, TemporaryError
from rotator.core.failure import Failure
from rotator.core.model import Credential, Proof, ProofMode, Verdict
from rotator.core.recall import Memory
from rotator.core.rotation import Ports
from tests.simulation.drivers import Hang, backends_of, targets_of
from tests.simulation.journal import Covered, Looks, Promise, SimJournal
from tests.simulation.timeline import FOREVER, span
from tests.simulation.world import Crash
from tests.support import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from rotator.core.ports import Answer, Item
    from rotator.core.report import Report
    from rotator.core.rotation import Rotation
    from tests.simulation.backend import Backend
    from tests.simulation.drivers import SimTarget
    from tests.simulation.place import Place
    from tests.simulation.registries import Registries
    from tests.simulation.timeline import Timeline
    from tests.simulation.watch import Watch

Result = TypeVar("Result")

HEARTBEAT = 5.0
# Seconds after which a proof is not waited for.
PROVE = 15.0
# Seconds for which a run-once waits for a registry to know a new credential.
PATIENCE = timedelta(seconds=15)
# Names of effects that nothing waits for.
_INSTANT = frozenset({"load", "save"})


class Host:
    """A machine that runs one rotation; `rotation` is set once its drivers are built.

    `in_use`: the configuration of the cycle that runs, which a reload does not change.

    `ahead`: by how many seconds its clock is ahead of true time. `slow`: how many seconds each
    call takes at most. `busy`: some process holds the rotation's lock.
    """

    def __init__(self, name: str, world: Registries, watch: Watch, chance: Random) -> None:
        self.name = name
        self.world = world
        self.watch = watch
        self.time: Timeline = world.time
        self.chance = chance
        self.rotation: Rotation
        self.in_use: Rotation
        self.looks = Looks(self)
        self.journal = SimJournal(self)
        self.ahead = 0.0
        self.forward_at = -FOREVER
        self.slow = 0.3
        self.at_once = parts.AT_ONCE
        self.alive = False
        self.busy = False
        self.starting = False
        self.life = 0
        self.login_name = name
        self.suspended_until = 0.0
        self.crash_in: int | None = None
        self.died_at = -FOREVER
        self.doomed = False
        self.memory = Memory()
        self.armed: Armed | None = None
        self.started_at = 0.0
        self.stuck: dict[object, float] = {}
        self.cycles = 0
        self.ever_accepted: set[str] = set()
        # What the cycle that runs has learnt.
        self.cycle_began = 0.0
        self.covers: tuple[Covered, ...] = ()
        self.rejected: set[str] = set()
        self.silent: set[str] = set()
        self.unread: set[str] = set()
        self.known_passwords: set[str] = set()

    # The machine.

    @property
    def alone(self) -> bool:
        """Tell whether there is no other rotator in the world."""
        return len(self.watch.hosts) == 1

    @property
    def knows_every_mark(self) -> bool:
        """Tell whether it wrote all marks, and still has the key of their fingerprints."""
        return self.alone and self.journal.keys == 0

    @property
    def backends(self) -> list[Backend]:
        """The servers of its sources."""
        return backends_of(self.rotation)

    @property
    def targets(self) -> list[SimTarget]:
        """Its targets, those included that are disabled."""
        return targets_of(self.rotation)

    @property
    def promise(self) -> Promise | None:
        """Return what the record on this host's disk promises to jobs."""
        return self.journal.promise

    def wall(self) -> datetime:
        """Return the time, as this machine believes it."""
        return NOW + timedelta(seconds=self.time.now + self.ahead)

    def say(self, what: str) -> None:
        """Add a line to the trace."""
        self.time.say(self.name, what)

    def start(self) -> None:
        """Start the daemon."""
        if self.alive:
            return
        self.life += 1
        self.login_name = f"{self.name}#{self.life}"
        self.alive, self.busy, self.doomed = True, False, False
        self.memory, self.stuck = Memory(), {}
        self.looks.forget()
        self.started_at = self.time.now
        self.starting = True
        self.say("starts")
        self._arm(self.wall(), self.wall(), self.time.now)

    def kill(self) -> None:
        """End the process at once; one that is in a cycle dies at its next step."""
        if self.busy:
            self.doomed = True
        else:
            self._die("killed")

    def suspend(self, seconds: float) -> None:
        """Stop the machine for a while; its clocks go on."""
        self.say(f"suspended for {span(seconds)}")
        self.suspended_until = self.time.now + seconds
        self.time.at(self.suspended_until, self.beat)

    def step_clock(self, seconds: float) -> None:
        """Set the machine's clock forward, or back."""
        self.say(f"clock stepped by {seconds:+.0f} s")
        self.ahead += seconds
        self.watch.clock_was_set()
        if seconds > 0:
            self.forward_at = self.time.now
        self.nudge()

    def nudge(self) -> None:
        """Let the next heartbeat compare: only those that could notice something are simulated."""
        beats = (self.time.now - self.started_at) // HEARTBEAT + 1
        self.time.at(self.started_at + beats * HEARTBEAT, self.beat)

    def reload(self, rotation: Rotation) -> None:
        """Take another configuration; the memory stays, a cycle runs at once."""
        self.rotation = rotation
        self.watch.forget_configuration()
        if self.alive:
            self.say("reloads its configuration")
            self.starting = True
            self._arm(self.wall(), self.wall(), self.time.now)

    # Processes.

    def beat(self) -> None:
        """Run a cycle where one is due."""
        if not self.alive or self.armed is None or self.time.now < self.suspended_until:
            return
        if self.busy:
            # Whoever holds the lock is waited for.
            self.time.after(HEARTBEAT, self.beat)
            return
        reason = due.wake_reason(
            self.armed, self.rotation, self.journal.saved, now=self.wall(), boot=self.time.now
        )
        if reason is not None:
            self._daemon_cycle(reason)

    def run_once(self, options: cycle.Options) -> None:
        """Run one cycle in a process of its own, as a person or a timer does."""
        if self.busy or self.time.now < self.suspended_until:
            return
        self.say(f"run-once, {_described(options)}")
        hanging = {
            target.name: Failure.of(_timeout("it hangs in the daemon"))
            for target in self.rotation.targets
            if self.stuck.get(target, 0.0) > self.time.now
        }
        daemon = self.stuck, self.login_name, self.looks.entries
        self.life += 1
        self.stuck, self.login_name, self.looks.entries = {}, f"{self.name}#{self.life}", {}
        try:
            report, _ = self._cycle(Memory(), replace(options, out_of_reach=hanging.get))
            if not options.dry_run:
                self.watch.cycle_ended(self, report)
        except Crash as crash:
            self.say(f"run-once dies ({crash})")
            self.watch.died(self)
        self.stuck, self.login_name, self.looks.entries = daemon
        self.busy = False
        if self.doomed:
            self._die("killed")

    def _arm(self, next_at: datetime, now: datetime, boot: float) -> None:
        self.armed = Armed(next_at, now, boot)
        # A thousandth more than the wait: times are noted in microseconds.
        wait = max((next_at - now).total_seconds() + 0.001 - (self.time.now - boot), 0.0)
        self.time.after(wait, self.beat)
        self.nudge()

    def _daemon_cycle(self, reason: Wake) -> None:
        began, now, rotation = self.time.now, self.wall(), self.rotation
        if reason is not Wake.DUE:
            self.say(f"cycle begins early: {reason}")
        forced = reason is Wake.CLOCK_BACK
        options = cycle.Options(force=forced, starting=self.starting)
        self.starting = False
        try:
            report, self.memory = self._cycle(self.memory, options)
        except Crash as crash:
            self._die(str(crash))
            return
        self.busy = False
        if self.doomed:
            self._die("killed")
            return
        self.watch.cycle_ended(self, report)
        if self.rotation is rotation:
            self._rest(report, now, began)

    def _rest(self, report: Report, now: datetime, began: float) -> None:
        if report.next_at is None:
            self.armed = None
        else:
            self._arm(report.next_at, now, began)

    def _cycle(self, memory: Memory, options: cycle.Options) -> tuple[Report, Memory]:
        self.busy = True
        self.in_use = self.rotation
        self.cycles += 1
        self.cycle_began = self.time.now
        self.rejected, self.silent, self.unread = set(), set(), set()
        self.known_passwords = {login.password.reveal() for login in memory.credentials}
        self.covers = self.watch.covers(self)
        self.looks.begin()
        for target in self.rotation.targets:
            left_out = options.only and target.name not in options.only
            if left_out or options.out_of_reach(target.name) is not None:
                self.unread.add(target.name)
        self.watch.cycle_begins(self)
        ports = Ports(
            self.journal, self.prove, self.each, self.wall, self.chance.random, self.pass_time
        )
        return parts.run(self.in_use, memory, ports, options, self.at_once)

    def _die(self, why: str) -> None:
        self.say(f"dies ({why})")
        self.died_at = self.time.now
        self.alive, self.busy, self.doomed = False, False, False
        self.armed, self.crash_in = None, None
        self.watch.died(self)

    # What the core is given.

    def effect(self, name: str, act: Callable[[], Result]) -> Result:
        """Act on the world: it takes time, others act meanwhile, and the process may die."""
        self._may_die(f"before {name}")
        if name not in _INSTANT:
            self.pass_time(self.chance.random() * self.slow)
        result = act()
        self._may_die(f"after {name}")
        return result

    def pass_time(self, seconds: float) -> None:
        """Wait; a suspended machine waits until it is resumed."""
        self.time.advance(self.time.now + seconds)
        while self.time.now < self.suspended_until:
            self.time.advance(self.suspended_until)

    def prove(self, login: Credential) -> Proof:
        """Show a credential to its registry."""
        began, password = self.time.now, login.password.reveal()
        self.known_passwords.add(password)
        proof = self.effect("prove", lambda: self.world.prove(self.name, login, self.chance))
        if self.time.now - began > PROVE:
            proof = Proof(Verdict.UNKNOWN, f"no answer within {PROVE:.0f} s")
        if proof.verdict is Verdict.UNKNOWN:
            self.silent.add(login.registry)
            return proof
        if proof.verdict is Verdict.ACCEPTED:
            self.ever_accepted.add(password)
            self.rejected.discard(password)
        else:
            self.rejected.add(password)
        return proof

    def can_ask(self, registry: str) -> bool:
        """Tell whether this cycle could ask a registry."""
        if self.in_use.proof is ProofMode.OFF or registry in self.silent:
            return False
        return not self.world.was_moody(self.name, registry, self.cycle_began)

    def could_read(self, place: Place) -> bool:
        """Tell whether this cycle could have read a place that it did not read."""
        refused = place.no_read is not None or place.readable_since >= self.cycle_began
        return not refused and place.name not in self.unread

    def each(
        self, call: Callable[[Item], Answer], items: Sequence[Item], seconds: float
    ) -> list[Answer | Exception]:
        """Fan out, one after another; what hangs is given up at the deadline and left alone."""
        answers: list[Answer | Exception] = []
        for item in items:
            began = self.time.now
            answer: Answer | Exception
            if self.stuck.get(item, 0.0) > began:
                answer = _timeout("the last call still hangs")
            else:
                try:
                    answer = call(item)
                    if self.time.now - began > seconds:
                        answer = _timeout("it came too late")
                        self.looks.came_too_late(getattr(item, "name", ""))
                except Hang as hang:
                    self.stuck[item] = hang.until
                    self.pass_time(seconds - (self.time.now - began))
                    answer = _timeout(f"no answer within {seconds:.0f} s")
                except Exception as error:  # noqa: BLE001  what the port promises
                    answer = error
            if isinstance(answer, Exception):
                self.unread.add(getattr(item, "name", ""))
            answers.append(answer)
        return answers

    def _may_die(self, where: str) -> None:
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                self.crash_in = None
                raise Crash(where)
        if self.doomed:
            raise Crash(where)


def _described(options: cycle.Options) -> str:
    parts = [
        "forced" if options.force else "only what is due",
        "dry" if options.dry_run else "",
        f"only {sorted(options.only)}" if options.only else "",
    ]
    return ", ".join(part for part in parts if part)


def _timeout(detail: str) -> TemporaryError:
    return TemporaryError(Reason.TIMEOUT, detail, "look at what it waits for")
