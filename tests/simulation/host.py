"""One rotator: its machine with a clock, its journal, and a process that can die in any call.

The process keeps the daemon's contract: a cycle at `next_at`, and a heartbeat every 15 s that runs
one early where `wake_reason` says so.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from rotator.core.wake import Armed, Wake

from rotator.core import cycle, wake
from rotator.core.errors import Reason, TemporaryError
from rotator.core.model import Credential, Proof, Verdict
from rotator.core.rotation import Ports
from tests.simulation.drivers import Hang, Promise, SimJournal
from tests.simulation.timeline import FOREVER, span
from tests.simulation.world import Crash
from tests.support import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from rotator.core.facts import Memory

    from rotator.core.ports import Answer, Item
    from rotator.core.rotation import Rotation
    from tests.simulation.outside import Registries
    from tests.simulation.promises import Watch
    from tests.simulation.timeline import Timeline

Result = TypeVar("Result")

HEARTBEAT = 15.0
# Seconds after which a proof is not waited for.
PROVE = 15.0
# Names of effects that nothing waits for.
_INSTANT = frozenset({"load", "save"})


class Host:
    """A machine that runs one rotation; `rotation` is set once its drivers are built.

    `ahead`: by how many seconds its clock is ahead of true time. `slow`: how many seconds each
    call takes at most.
    """

    def __init__(self, name: str, world: Registries, watch: Watch, chance: Random) -> None:
        self.name = name
        self.world = world
        self.watch = watch
        self.time: Timeline = world.time
        self.chance = chance
        self.rotation: Rotation
        self.journal = SimJournal(self)
        self.ahead = 0.0
        self.forward_at = -FOREVER
        self.slow = 0.3
        self.alive = False
        self.busy = False
        self.starting = False
        self.life = 0
        self.suspended_until = 0.0
        self.crash_in: int | None = None
        self.doomed = False
        self.memory: Memory = ()
        self.armed: Armed | None = None
        self.started_at = 0.0
        self.cycle_began = 0.0
        self.rejected: set[str] = set()
        self.asked: set[str] = set()
        self.unproven: set[str] = set()
        self.stuck: dict[object, float] = {}
        self.cycles = 0

    # The machine.

    @property
    def login_name(self) -> str:
        """Name the login that this process made its leases with."""
        return f"{self.name}#{self.life}"

    @property
    def alone(self) -> bool:
        """Tell whether there is no other rotator in the world."""
        return len(self.watch.hosts) == 1

    @property
    def promise(self) -> Promise | None:
        """Return what the record on this host's disk promises to jobs."""
        return self.journal.promise

    def wall(self) -> datetime:
        """Return the time, as this machine believes it."""
        return NOW + timedelta(seconds=self.time.now + self.ahead)

    def say(self, what: str) -> None:
        """Note a line for the trace."""
        self.time.say(self.name, what)

    def start(self) -> None:
        """Start the process."""
        if self.alive:
            return
        self.life += 1
        self.alive, self.busy, self.doomed = True, False, False
        self.memory, self.stuck = (), {}
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
        if seconds > 0:
            self.forward_at = self.time.now
        self.nudge()

    def nudge(self) -> None:
        """Let the next heartbeat look: only those that could see something are simulated."""
        beats = (self.time.now - self.started_at) // HEARTBEAT + 1
        self.time.at(self.started_at + beats * HEARTBEAT, self.beat)

    def beat(self) -> None:
        """Look whether a cycle has to run, and run it."""
        if not self.alive or self.busy or self.armed is None:
            return
        if self.time.now < self.suspended_until:
            return
        reason = wake.wake_reason(
            self.armed, self.rotation, self.journal.kept, now=self.wall(), boot=self.time.now
        )
        if reason is not None:
            self._run(reason)

    def _arm(self, next_at: datetime, now: datetime, boot: float) -> None:
        self.armed = Armed(next_at, now, boot)
        # A thousandth more than the wait: times are kept in microseconds.
        wait = max((next_at - now).total_seconds() + 0.001 - (self.time.now - boot), 0.0)
        self.time.after(wait, self.beat)
        self.nudge()

    def _run(self, reason: Wake) -> None:
        self.busy = True
        self.cycles += 1
        began, now = self.time.now, self.wall()
        self.cycle_began = began
        self.asked, self.rejected, self.unproven = set(), set(), set()
        if reason is not Wake.DUE:
            self.say(f"woken: {reason}")
        self.watch.cycle_begins(self)
        ports = Ports(self.journal, self.prove, self.each, self.wall, self.chance.random)
        try:
            forced = reason is Wake.CLOCK_BACK
            how = cycle.Options(force=forced, starting=self.starting)
            report, self.memory = cycle.run(self.rotation, self.memory, ports, how)
        except Crash as crash:
            self._die(str(crash))
            return
        self.busy = self.starting = False
        if self.doomed:
            self._die("killed")
            return
        self.watch.cycle_ended(self, report)
        self._arm(report.next_at or now, now, began)

    def _die(self, why: str) -> None:
        self.say(f"dies ({why})")
        self.alive, self.busy, self.doomed = False, False, False
        self.armed, self.crash_in = None, None
        self.journal.cycle_ended()
        self.watch.died(self)

    # What the core is given.

    def effect(self, name: str, act: Callable[[], Result]) -> Result:
        """Act on the outside: it takes time, others act meanwhile, and the process may die."""
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
        proof = self.effect("prove", lambda: self._proof(login))
        if proof.verdict is Verdict.UNKNOWN or self.time.now - began > PROVE:
            self.unproven.add(login.registry)
            return proof
        self.asked.add(password)
        if proof.verdict is Verdict.REJECTED:
            self.rejected.add(password)
        return proof

    def _proof(self, login: Credential) -> Proof:
        if login.registry in self.world.unreachable:
            return Proof(Verdict.UNKNOWN, "connection refused")
        token = self.world.token(login.registry, (login.username, login.password))
        good = self.world.accepts(token)
        return Proof(Verdict.ACCEPTED) if good else Proof(Verdict.REJECTED, "401")

    def each(
        self, call: Callable[[Item], Answer], items: Sequence[Item], seconds: float
    ) -> list[Answer | Exception]:
        """Fan out, one after another; what hangs is given up at the deadline and left alone."""
        answers: list[Answer | Exception] = []
        for item in items:
            began = self.time.now
            if self.stuck.get(item, 0.0) > began:
                answers.append(_timeout("the last call still hangs"))
                continue
            try:
                answer = call(item)
                late = self.time.now - began > seconds
                answers.append(_timeout("it came too late") if late else answer)
            except Hang as hang:
                self.stuck[item] = hang.until
                self.pass_time(seconds - (self.time.now - began))
                answers.append(_timeout(f"no answer within {seconds:.0f} s"))
            except Exception as error:  # noqa: BLE001  what the port promises
                answers.append(error)
        return answers

    def _may_die(self, where: str) -> None:
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                self.crash_in = None
                raise Crash(where)
        if self.doomed:
            raise Crash(where)


def _timeout(detail: str) -> TemporaryError:
    return TemporaryError(Reason.TIMEOUT, detail, "look at what it waits for")
