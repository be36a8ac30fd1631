"""What goes wrong with sources and registries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.core.errors import DriverError, LoginRejectedError, PermanentError, Reason
from tests.simulation.backend import Kind
from tests.simulation.faults import DAY, HINT, Faults, temporary
from tests.simulation.registries import Mood
from tests.simulation.watch import HEARTBEAT, URGENT

if TYPE_CHECKING:
    from collections.abc import Callable


class SourceFaults(Faults):
    """Servers that give nothing, or something else than they should."""

    def kinds(self) -> dict[str, Callable[[], bool]]:
        """Return every fault by its name."""
        return {
            "outage": self.outage,
            "denied": self.denied,
            "throttled": self.throttled,
            "login rejected": self.login_rejected,
            "answers part": self.answers_part,
            "truncated": self.truncated,
        }

    def outage(self) -> bool:
        """A server can't be reached."""
        return self._source(lambda: temporary(Reason.UNREACHABLE))

    def denied(self) -> bool:
        """A server says 403."""
        return self._source(lambda: PermanentError(Reason.FORBIDDEN, "403", HINT))

    def throttled(self) -> bool:
        """A server says 429, and when to come again."""
        asked = self.chance.choice([1.0, 30.0, 300.0, 7200.0, None])
        return self._source(lambda: temporary(Reason.THROTTLED, asked), 66.0)

    def login_rejected(self) -> bool:
        """A server knows the login secret no more; at the end a person puts a new one."""
        backend = self.chance.choice(self.watch.backends)
        if backend.fault is not None:
            return False

        def over() -> None:
            backend.stamp += 1
            backend.fault = None
            for host in self.watch.hosts:
                host.nudge()
            self.ends("login rejected", HEARTBEAT + URGENT + self.learning)

        backend.fault = lambda _: LoginRejectedError("no such login", HINT)
        self.begins("login rejected", backend.name, self.duration(), over)
        return True

    def _source(self, problem: Callable[[], DriverError], extra: float = 0.0) -> bool:
        backend = self.chance.choice(self.watch.backends)
        if backend.fault is not None:
            return False

        def over() -> None:
            backend.fault = None
            self.ends(backend.name, max(self.wait, 1.1 * max(self.wait, extra)))

        backend.fault = lambda _: problem()
        self.begins(str(problem().reason), backend.name, self.duration(), over)
        return True

    def answers_part(self) -> bool:
        """A server forgets one of its registries."""
        backend = self.chance.choice(self.watch.backends)
        if len(backend.registries) == 1 or not backend.declared or backend.answers_part:
            return False

        def over() -> None:
            backend.answers_part = False
            self.ends(backend.name, self.wait)

        backend.answers_part = True
        self.begins("answers part", backend.name, self.duration(), over)
        return True

    def truncated(self) -> bool:
        """A server gives shorter lives for a while, and says so."""
        backend = self.chance.choice(self.watch.backends)
        if backend.kind is Kind.STATIC or backend.truncates < 1 or backend.life < 600:
            return False

        def over() -> None:
            backend.truncates = 1.0
            # A credential that was given meanwhile lives on until its own renewal.
            self.ends(backend.name, backend.life)

        backend.truncates = 0.1 + 0.5 * self.chance.random()
        backend.shortest = min(backend.shortest, backend.truncates)
        self.begins("truncated", backend.name, self.duration(), over)
        return True


class RegistryFaults(Faults):
    """Registries that end passwords, answer falsely, or are slow to know a new one."""

    def kinds(self) -> dict[str, Callable[[], bool]]:
        """Return every fault by its name."""
        return {
            "token killed": self.token_killed,
            "secret changed": self.secret_changed,
            "registry unreachable": lambda: self._mood(Mood.UNREACHABLE),
            "registry odd": lambda: self._mood(Mood.ODD),
            "registry rejects all": lambda: self._mood(Mood.REJECTS),
            "registry flaps": lambda: self._mood(Mood.FLAPS),
            "registry slow": self.slow_to_know,
        }

    def token_killed(self) -> bool:
        """A registry ends a password before its time."""
        alive = [t for t in self.watch.world.tokens.values() if t.dies > self.time.now]
        if not alive:
            return False
        token = self.chance.choice(alive[-6:])
        token.dead_at = self.time.now
        for backend in self.watch.backends:
            if backend.current.get(token.registry) is token:
                del backend.current[token.registry]
        self.time.say("world", f"{token.name} is killed by {token.registry}")
        self.watch.disturbance("token killed", self.poll + self._settle + self.wait)
        return True

    def secret_changed(self) -> bool:
        """Somebody changes a stored secret; the old password dies with it or a day later."""
        static = [b for b in self.watch.backends if b.kind is Kind.STATIC and b.current]
        if not static:
            return False
        backend = self.chance.choice(static)
        grace = self.chance.choice([0.0, DAY])
        for token in backend.current.values():
            token.dead_at = self.time.now + grace
        backend.current.clear()
        self.time.say("world", f"the secret of {backend.name} is changed")
        self.watch.disturbance("secret changed", self.poll + self.wait)
        return True

    def _mood(self, mood: Mood) -> bool:
        """A registry answers proofs falsely, or not at all, to everybody or to one host."""
        world = self.watch.world
        registry = self.chance.choice(
            sorted({name for backend in self.watch.backends for name in backend.registries})
        )
        host = self.chance.choice([*(h.name for h in self.watch.hosts), "", ""])
        place = host, registry
        if place in world.moods:
            return False

        def over() -> None:
            del world.moods[place]
            world.moody_until[place] = self.time.now
            self.ends(registry, self.poll + self._settle + self.wait)

        world.moods[place] = mood
        who = f"{registry} for {host}" if host else registry
        self.begins(f"registry {mood}", who, self.duration(), over)
        return True

    def slow_to_know(self) -> bool:
        """A registry needs longer than usual until it knows a new password."""
        world = self.watch.world
        backend = self.chance.choice(self.watch.backends)
        registry = self.chance.choice(backend.registries)
        before = world.delays.get(registry, 0.0)
        if before > 100 or backend.life < 3600:
            return False

        def over() -> None:
            world.delays[registry] = before
            self.ends(registry, self._settle + 600.0 + self.wait)

        world.delays[registry] = self.chance.choice([30.0, 100.0, 600.0])
        self.begins("registry slow", registry, self.duration(), over)
        return True

    @property
    def _settle(self) -> float:
        return max(host.rotation.settle.total_seconds() for host in self.watch.hosts)
