"""What happens to machines and processes, and what people do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.core import cycle
from tests.simulation.backend import Kind
from tests.simulation.faults import DAY, HOUR, Faults
from tests.simulation.host import PATIENCE
from tests.simulation.watch import HEARTBEAT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.host import Host


class HostFaults(Faults):
    """Clocks, sleeps, crashes, disks, and a person who types `run-once`."""

    def kinds(self) -> dict[str, Callable[[], bool]]:
        """Return every fault by its name."""
        return {
            "slow": self.slow,
            "clock stepped": self.clock_stepped,
            "clock wrong": self.clock_wrong,
            "suspended": self.suspended,
            "crash": self.crash,
            "crash loop": self.crash_loop,
            "power failure": self.power_failure,
            "journal lost": self.journal_lost,
            "journal restored": self.journal_restored,
            "journal cloned": self.journal_cloned,
            "run-once": self.run_once,
        }

    def slow(self) -> bool:
        """Everything that one machine asks takes long."""
        host = self.chance.choice(self.watch.hosts)
        if host.slow > 1:
            return False

        def over() -> None:
            host.slow = 0.3
            self.ends("slow", 10 * 30.0 + self.wait)

        host.slow = self.chance.choice([5.0, 12.0, 30.0])
        self.begins("slow", host.name, self.duration(HOUR), over)
        return True

    def clock_stepped(self) -> bool:
        """A machine's clock is set, and in the end set right."""
        host = self.chance.choice(self.watch.hosts)
        if host.ahead:
            return False
        step = self.chance.choice([-DAY, -HOUR, HOUR, DAY])
        host.step_clock(step)

        def over() -> None:
            host.step_clock(-step)
            self.ends("clock", HEARTBEAT + self.wait + self.poll)

        # Where ends are by other clocks too, a clock that is wrong stays a fault.
        absolute = any(b.kind is Kind.ABSOLUTE or b.dated for b in self.watch.backends)
        if absolute or len(self.watch.hosts) > 1:
            self.begins("clock stepped", host.name, self.duration(), over)
            return True
        self.watch.disturbance("clock stepped", HEARTBEAT + self.wait)

        def again() -> None:
            host.step_clock(-step)
            self.watch.disturbance("clock stepped", HEARTBEAT + self.wait)

        self.time.after(self.duration(), again)
        return True

    def clock_wrong(self) -> bool:
        """A machine's clock is wrong for good; a person repairs it in the end."""
        host = self.chance.choice(self.watch.hosts)
        if host.ahead:
            return False
        step = self.chance.choice([-DAY, DAY])
        host.step_clock(step)

        def over() -> None:
            host.step_clock(-step)
            self.ends("clock", HEARTBEAT + self.wait + self.poll)

        self.begins("clock wrong", host.name, self.length / 4, over)
        return True

    def suspended(self) -> bool:
        """A machine sleeps."""
        host = self.chance.choice(self.watch.hosts)
        if host.suspended_until > self.time.now:
            return False
        seconds = self.duration()
        host.suspend(seconds)

        def over() -> None:
            self.ends("suspended", HEARTBEAT + self.learning)

        self.begins("suspended", host.name, seconds, over)
        return True

    def crash(self) -> bool:
        """A process dies, in any call or between cycles, and is started again."""
        return self._crash(self._victim(), self.duration(HOUR))

    def power_failure(self) -> bool:
        """A machine goes dark, and what its disk has not yet written is lost."""
        host = self._victim()
        return host is not None and self._crash(
            host, self.duration(HOUR), host.journal.lose_power, "power failure"
        )

    def crash_loop(self) -> bool:
        """A process dies again and again, soon after each start."""
        host = self._victim()
        if host is None:
            return False

        def again() -> None:
            self._crash(host, 1.0)

        for number in range(self.chance.randrange(3, 12)):
            self.time.after(number * 2.0, again)
        return True

    def journal_lost(self) -> bool:
        """A process dies, and its disk with it."""
        host = self._victim()
        return host is not None and self._crash(host, self.duration(HOUR), host.journal.lose)

    def journal_restored(self) -> bool:
        """A process dies, and its disk is restored as it was some time ago."""
        host = self._victim()
        if host is None:
            return False
        snapshot = host.journal.snapshot
        host.journal.snapshot = host.journal.copy()
        return self._crash(
            host, self.duration(HOUR), lambda: host.journal.restore(snapshot), "journal restored"
        )

    def journal_cloned(self) -> bool:
        """A machine becomes a copy of another one with the same rotation."""
        host = self._victim()
        others = [
            other
            for other in self.watch.hosts
            if host is not None and other is not host and self._is_alike(host, other)
        ]
        if host is None or not others:
            return False
        other = self.chance.choice(others)

        def clone() -> None:
            host.journal.restore(other.journal.copy())
            if host.ahead > other.ahead:
                # To what the other had written down, its clock went forward.
                host.forward_at = self.time.now

        return self._crash(host, self.duration(HOUR), clone, f"becomes a clone of {other.name}")

    def _is_alike(self, one: Host, other: Host) -> bool:
        # Both own the same lease then, and one takes it from the other's turn.
        if any(place.one_value for place in self.watch.places):
            return False
        names = [[s.name for s in host.rotation.sources] for host in (one, other)]
        return names[0] == names[1]

    def run_once(self) -> bool:
        """A person types `run-once` beside the daemon, or a timer does."""
        host = self.chance.choice(self.watch.hosts)
        targets = [t.name for t in host.rotation.targets if t.policy.enabled]
        few = targets and self.chance.random() < 0.3
        forced = self.chance.random() < 0.6
        options = cycle.Options(
            force=forced,
            dry_run=self.chance.random() < 0.2,
            only=frozenset(self.chance.sample(targets, 1)) if few else frozenset(),
            patience=PATIENCE,
        )
        for backend in host.backends:
            backend.forced += 1
        self.watch.recent += 1
        host.run_once(options)
        return True

    def _victim(self) -> Host | None:
        host = self.chance.choice(self.watch.hosts)
        return host if host.alive and host.crash_in is None else None

    def _crash(
        self,
        host: Host | None,
        down: float,
        meanwhile: Callable[[], None] = lambda: None,
        kind: str = "crash",
    ) -> bool:
        if host is None or not host.alive or host.crash_in is not None:
            return False

        def restart() -> None:
            if host.alive:
                host.kill()
            if host.busy:
                self.time.after(1.0, restart)
                return
            meanwhile()
            host.start()
            self.ends("crash", self.poll + self.wait)

        if self.chance.random() < 0.7:
            host.crash_in = self.chance.randrange(30)
            host.say(f"will crash in {host.crash_in} steps")
        else:
            host.kill()
        self.begins(kind, host.name, down, restart)
        return True
