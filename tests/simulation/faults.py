"""What goes wrong in the world: each fault begins, may last for a while, and ends."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from rotator.core.errors import (
    DriverError,
    LoginRejectedError,
    PermanentError,
    Reason,
    TemporaryError,
)
from rotator.core.model import Content
from tests.simulation.backend import Kind
from tests.simulation.promises import HEARTBEAT, URGENT
from tests.simulation.timeline import span

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.simulation.host import Host
    from tests.simulation.promises import Watch

HOUR, DAY = 3600.0, 86400.0
_HINT = "wait"
_AT_ONCE = 3
# A read that may be stale is believed a minute after the write.
_STALE = 62.0


class Faults:
    """Makes faults happen.

    `unit`: the time in which this world usually renews something; `length`: how long it is looked
    at.
    """

    def __init__(self, watch: Watch, chance: Random, unit: float, length: float) -> None:
        self.watch = watch
        self.time = watch.time
        self.chance = chance
        self.unit = unit
        self.length = length
        self.counts: Counter[str] = Counter()
        schedule = watch.hosts[0].rotation.schedule
        self.poll = schedule.poll.total_seconds()
        self.retry_max = schedule.retry_max.total_seconds()

    def kinds(self) -> dict[str, Callable[[], bool]]:
        """Return every fault by its name; each tells whether there was something to spoil."""
        return {
            "outage": self.outage,
            "denied": self.denied,
            "throttled": self.throttled,
            "slow": self.slow,
            "login rejected": self.login_rejected,
            "answers part": self.answers_part,
            "truncated": self.truncated,
            "token killed": self.token_killed,
            "secret changed": self.secret_changed,
            "registry unreachable": self.registry_unreachable,
            "clock stepped": self.clock_stepped,
            "suspended": self.suspended,
            "crash": self.crash,
            "crash loop": self.crash_loop,
            "journal lost": self.journal_lost,
            "edited": self.edited,
            "deleted": self.deleted,
            "garbage": self.garbage,
            "write refused": self.write_refused,
            "unreadable": self.unreadable,
            "hangs": self.hangs,
        }

    def happen(self, kind: str) -> None:
        """Let this fault begin, unless too much is wrong already."""
        if self.watch.disturbed.total() < _AT_ONCE and self.kinds()[kind]():
            self.counts[kind] += 1

    def duration(self, longest: float = DAY) -> float:
        """Draw how long a fault lasts: from seconds to days, some in the world's own pace."""
        longest = min(longest, self.length / 8)
        if self.chance.random() < 0.5:
            return min(self.unit * 3 * self.chance.random() + 1.0, longest)
        return float(min(2.0 * 43200 ** self.chance.random(), longest))

    # Sources.

    def outage(self) -> bool:
        """A server can't be reached."""
        return self._source(lambda: _temporary(Reason.UNREACHABLE))

    def denied(self) -> bool:
        """A server says 403."""
        return self._source(lambda: PermanentError(Reason.FORBIDDEN, "403", _HINT))

    def throttled(self) -> bool:
        """A server says 429, and when to come again."""
        asked = self.chance.choice([1.0, 30.0, 300.0, 7200.0, None])
        extra = max(60.0, self._wait()) * 1.1
        return self._source(lambda: _temporary(Reason.THROTTLED, asked), extra)

    def login_rejected(self) -> bool:
        """A server knows the login secret no more; at the end a person puts a new one."""
        backend = self.chance.choice(self.watch.backends)
        if backend.fault is not None:
            return False

        def mended() -> None:
            backend.stamp += 1
            backend.fault = None
            for host in self.watch.hosts:
                host.nudge()
            self._ends("login rejected", HEARTBEAT + URGENT)

        backend.fault = lambda _: LoginRejectedError("no such login", _HINT)
        self._begins("login rejected", backend.name, self.duration(), mended)
        return True

    def _source(self, problem: Callable[[], DriverError], extra: float = 0.0) -> bool:
        backend = self.chance.choice(self.watch.backends)
        if backend.fault is not None:
            return False

        def mended() -> None:
            backend.fault = None
            self._ends(backend.name, max(self._wait(), extra))

        backend.fault = lambda _: problem()
        self._begins(str(problem().reason), backend.name, self.duration(), mended)
        return True

    def answers_part(self) -> bool:
        """A server forgets one of its registries."""
        backend = self.chance.choice(self.watch.backends)
        if len(backend.registries) == 1 or not backend.declared or backend.answers_part:
            return False

        def mended() -> None:
            backend.answers_part = False
            self._ends(backend.name, self._wait())

        backend.answers_part = True
        self._begins("answers part", backend.name, self.duration(), mended)
        return True

    def truncated(self) -> bool:
        """A server gives shorter lives for a while, and says so."""
        backend = self.chance.choice(self.watch.backends)
        if backend.kind is Kind.STATIC or backend.truncates < 1 or backend.life < 600:
            return False

        def mended() -> None:
            backend.truncates = 1.0
            # A credential that was given meanwhile lives on until its own renewal.
            self._ends(backend.name, backend.life)

        backend.truncates = 0.1 + 0.5 * self.chance.random()
        backend.shortest = min(backend.shortest, backend.truncates)
        self._begins("truncated", backend.name, self.duration(), mended)
        return True

    def slow(self) -> bool:
        """Everything that one machine asks takes long."""
        host = self.chance.choice(self.watch.hosts)
        if host.slow > 1:
            return False

        def mended() -> None:
            host.slow = 0.3
            self._ends("slow", 10 * 30.0 + self._wait())

        host.slow = self.chance.choice([5.0, 12.0, 30.0])
        self._begins("slow", host.name, self.duration(HOUR), mended)
        return True

    # Registries.

    def token_killed(self) -> bool:
        """A registry ends a password before its time."""
        alive = [t for t in self.watch.world.tokens.values() if t.dies > self.time.now]
        if not alive:
            return False
        token = self.chance.choice(alive[-6:])
        token.dead_at, token.killed = self.time.now, True
        for backend in self.watch.backends:
            if backend.current.get(token.registry) is token:
                del backend.current[token.registry]
        self.time.say("world", f"{token.password} is killed by {token.registry}")
        self.watch.disturbance("token killed", self.poll + self._wait())
        return True

    def secret_changed(self) -> bool:
        """Somebody changes a stored secret; the old password dies with it or a day later."""
        static = [b for b in self.watch.backends if b.kind is Kind.STATIC and b.current]
        if not static:
            return False
        backend = self.chance.choice(static)
        grace = self.chance.choice([0.0, DAY])
        for token in backend.current.values():
            token.dead_at, token.killed = self.time.now + grace, True
        backend.current.clear()
        self.time.say("world", f"the secret of {backend.name} is changed")
        self.watch.disturbance("secret changed", self.poll + self._wait())
        return True

    def registry_unreachable(self) -> bool:
        """A registry answers nobody's proof."""
        registry = self.chance.choice(
            sorted(
                {t.registry for t in self.watch.world.tokens.values()}
                or {self.watch.backends[0].registries[0]}
            )
        )
        unreachable = self.watch.world.unreachable
        if registry in unreachable:
            return False

        def mended() -> None:
            unreachable.discard(registry)
            self._ends(registry, self.poll + self._wait())

        unreachable.add(registry)
        self._begins("registry unreachable", registry, self.duration(), mended)
        return True

    # Machines.

    def clock_stepped(self) -> bool:
        """A machine's clock is set, and in the end set right."""
        host = self.chance.choice(self.watch.hosts)
        if host.ahead:
            return False
        step = self.chance.choice([-DAY, -HOUR, HOUR, DAY])
        host.step_clock(step)

        def mended() -> None:
            host.step_clock(-step)
            self._ends("clock", HEARTBEAT + self._wait() + self.poll)

        # Where ends are told on other clocks too, a clock that is wrong stays a fault.
        told = any(b.kind is Kind.ABSOLUTE for b in self.watch.backends)
        if told or len(self.watch.hosts) > 1:
            self._begins("clock stepped", host.name, self.duration(), mended)
            return True
        self.watch.disturbance("clock stepped", HEARTBEAT + self._wait())

        def again() -> None:
            host.step_clock(-step)
            self.watch.disturbance("clock stepped", HEARTBEAT + self._wait())

        self.time.after(self.duration(), again)
        return True

    def suspended(self) -> bool:
        """A machine sleeps."""
        host = self.chance.choice(self.watch.hosts)
        if host.suspended_until > self.time.now:
            return False
        seconds = self.duration()
        host.suspend(seconds)
        self._begins("suspended", host.name, seconds, lambda: self._ends("suspended", HEARTBEAT))
        return True

    def crash(self) -> bool:
        """A process dies, in any call or between cycles, and is started again."""
        host = self.chance.choice(self.watch.hosts)
        if not host.alive or host.crash_in is not None:
            return False
        return self._crash(host, self.duration(HOUR), lose=False)

    def journal_lost(self) -> bool:
        """A process dies, and its disk with it."""
        host = self.chance.choice(self.watch.hosts)
        if not host.alive or host.crash_in is not None:
            return False
        return self._crash(host, self.duration(HOUR), lose=True)

    def crash_loop(self) -> bool:
        """A process dies again and again, soon after each start."""
        host = self.chance.choice(self.watch.hosts)
        if not host.alive or host.crash_in is not None:
            return False
        for number in range(self.chance.randrange(3, 12)):
            self.time.after(number * 2.0, lambda: self._crash(host, 1.0, lose=False))
        return True

    def _crash(self, host: Host, down: float, *, lose: bool) -> bool:
        if not host.alive or host.crash_in is not None:
            return False

        def restart() -> None:
            if host.alive:
                host.kill()
            if host.busy:
                self.time.after(1.0, restart)
                return
            if lose:
                host.journal.lose()
                for place in self.watch.places:
                    place.claimed.discard(host.name)
                    if place.damaged and not place.claimed:
                        # Nobody may repair it any more.
                        place.edit(None, drops_mark=True)
                        self.time.say("person", f"deletes {place.name}")
            host.start()
            self._ends("crash", self.poll + self._wait())

        if self.chance.random() < 0.7:
            host.crash_in = self.chance.randrange(30)
            host.say(f"will crash in {host.crash_in} steps")
        else:
            host.kill()
        self._begins("crash", host.name, down, restart)
        return True

    # Targets.

    def edited(self) -> bool:
        """A person changes the document: an entry, our entry, another key."""
        places = [p for p in self.watch.places if p.config and p.text and not p.hidden]
        if not places:
            return False
        place = self.chance.choice(places)
        if place.content is not Content.DOCKER_CONFIG:
            text = "changed by hand"
        else:
            document = json.loads(place.text or "{}")
            auths = document.setdefault("auths", {})
            what = self.chance.randrange(5)
            if what == 0:
                auths[f"r{self.chance.randrange(99)}.people.example"] = {"auth": "YTpi"}
            elif what == 1:
                document[f"key{self.chance.randrange(9)}"] = {"any": "thing"}
            elif what == 2 and auths:
                del auths[self.chance.choice(sorted(auths))]
            elif what == 3 and auths:
                auths[self.chance.choice(sorted(auths))] = {"auth": "YTpi"}
            elif auths:
                auths[self.chance.choice(sorted(auths))] = {"auth": "no base64"}
            text = json.dumps(document)
        place.edit(text, drops_mark=self.chance.random() < 0.3)
        self.time.say("person", f"edits {place.name}: {text}")
        self.watch.disturbance("edited", self.poll + self._wait())
        return True

    def deleted(self) -> bool:
        """A person deletes the place, or empties it."""
        place = self.chance.choice([p for p in self.watch.places if not p.hidden] or [None])
        if place is None:
            return False
        place.edit(None, drops_mark=True)
        self.time.say("person", f"deletes {place.name}")
        self.watch.disturbance("deleted", self.poll + self._wait())
        return True

    def garbage(self) -> bool:
        """A person truncates the document; where no rotator may repair that, deletes it later."""
        places = [
            p
            for p in self.watch.places
            if p.content is Content.DOCKER_CONFIG and not p.hidden and p.text and not p.damaged
        ]
        if not places:
            return False
        place = self.chance.choice(places)
        text = (place.text or "")[: self.chance.randrange(len(place.text or "") // 2)]
        place.edit(text, drops_mark=self.chance.random() < 0.3)
        self.time.say("person", f"truncates {place.name}: {text!r}")
        mine = {
            h.name for h in self.watch.hosts if any(t.place is place for t in h.rotation.targets)
        }
        if place.claimed & mine:
            self.watch.disturbance("garbage", self.poll + self._wait())
            return True

        def mended() -> None:
            if place.damaged:
                place.edit(None, drops_mark=True)
                self.time.say("person", f"deletes {place.name}")
            self._ends("garbage", self.poll + self._wait())

        self._begins("garbage", place.name, self.duration(), mended)
        return True

    def write_refused(self) -> bool:
        """A place can't be written."""
        place = self.chance.choice(self.watch.places)
        if place.no_write is not None:
            return False

        def mended() -> None:
            place.no_write = None
            self._ends(place.name, self._wait())

        permanent = self.chance.random() < 0.5
        place.no_write = lambda: (
            PermanentError(Reason.FORBIDDEN, "403", _HINT)
            if permanent
            else _temporary(Reason.UNAVAILABLE)
        )
        self._begins("write refused", place.name, self.duration(), mended)
        return True

    def unreadable(self) -> bool:
        """A place can't be read, or it refuses the login until a person puts a new one."""
        place = self.chance.choice(self.watch.places)
        if place.no_read is not None:
            return False
        refused = self.chance.random() < 0.5

        def mended() -> None:
            place.no_read = None
            place.stamp += refused
            for host in self.watch.hosts:
                host.nudge()
            self._ends(place.name, HEARTBEAT + URGENT if refused else self._wait())

        place.no_read = lambda: (
            LoginRejectedError("401", _HINT) if refused else _temporary(Reason.UNREACHABLE)
        )
        self._begins("unreadable", place.name, self.duration(), mended)
        return True

    def hangs(self) -> bool:
        """Calls to a place hang until the deadline, and return much later."""
        place = self.chance.choice(self.watch.places)
        if place.hangs_until > self.time.now:
            return False
        seconds = self.duration(HOUR)
        place.hangs_until = self.time.now + seconds
        # Others call again at their next try, and a call lands late.
        self._begins(
            "hangs",
            place.name,
            seconds,
            lambda: self._ends(place.name, 300.0 + self.poll + self._wait()),
        )
        return True

    # How long it takes until all is right again.

    def _wait(self) -> float:
        """Return the longest wait for the next try: 15 s, or a twentieth of the life left."""
        stale = any(place.stale for place in self.watch.places)
        return min(self.retry_max, max(URGENT, self.watch.left() / 19)) * 1.1 + _STALE * stale

    def _begins(self, kind: str, where: str, seconds: float, mended: Callable[[], None]) -> None:
        self.time.say("world", f"{kind} at {where} for {span(seconds)}")
        self.watch.disturbed[kind] += 1
        self.watch.recent += 1

        def end() -> None:
            self.time.say("world", f"{kind} at {where} ends")
            self.watch.disturbed[kind] -= 1
            mended()

        self.time.after(seconds, end)

    def _ends(self, what: str, recovery: float) -> None:
        self.watch.disturbance(what, recovery)


def _temporary(reason: Reason, retry_after: float | None = None) -> TemporaryError:
    return TemporaryError(reason, str(reason), _HINT, retry_after=retry_after)
