"""Makes a world from a seed, and lets it run."""

from __future__ import annotations

import json
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from rotator.core.model import Content, Merge, Policy, ProofMode, Schedule
from rotator.core.parts import AT_ONCE
from rotator.core.rotation import Rotation
from tests.simulation import budgets
from tests.simulation.backend import Backend, Kind
from tests.simulation.drivers import SimSource, SimTarget
from tests.simulation.faults import DAY, AllFaults
from tests.simulation.faults_of_configuration import ConfigurationChanges
from tests.simulation.faults_of_hosts import HostFaults
from tests.simulation.faults_of_places import PlaceFaults
from tests.simulation.faults_of_sources import RegistryFaults, SourceFaults
from tests.simulation.host import Host
from tests.simulation.place import Place
from tests.simulation.registries import Registries
from tests.simulation.timeline import Enough, Timeline, Violation, span
from tests.simulation.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

YEAR = 365 * DAY
# About how many cycles one seed is worth; a day's outage alone makes ten thousand.
_CYCLES = 400
MOST_CYCLES = 1000
FLEETS = {"one": 8, "two alike": 3, "five alike": 1, "two apart": 3, "three overlapping": 1}
_FOREIGN = {
    "auths": {"other.example.com": {"auth": "YTpi"}, "old.example.com": {"auth": "YTpi"}},
    "HttpHeaders": {"X": "y"},
}


@dataclass
class Result:
    """What a seed's world went through; `violation` is None where every promise held."""

    seed: int
    seconds: float = 0.0
    events: int = 0
    cycles: int = 0
    jobs: int = 0
    audits: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    violation: str | None = None
    trace: str = ""


@dataclass
class World:
    """One world: its rotators, what they deal with, and who watches them.

    `unit`: about the time between two renewals; `length`: how long it is simulated.
    """

    time: Timeline
    chance: Random
    watch: Watch
    unit: float
    length: float
    faults: AllFaults
    kinds: tuple[str, ...]
    window: float

    def run(self) -> None:
        """Let it run; raises `Violation`."""
        for host in self.watch.hosts:
            self.time.at(self.chance.random() * 10, host.start)
        self.watch.disturbance("start", 30.0 + 2 * max(self.watch.world.delays.values(), default=0))
        self._often(self.unit / 4, self._job)
        self._often(self.unit / 3, self.watch.audit)
        self._often(self.unit * 40, self._snapshot)
        self.time.after(self.window, self._window_ends)
        if self.kinds:
            self._often(self.unit * 8, lambda: self.faults.happen(self.chance.choice(self.kinds)))
        with suppress(Enough):
            self.time.advance(self.length)

    def cycles(self) -> int:
        """Return how many cycles there were so far."""
        return sum(host.cycles for host in self.watch.hosts)

    def _often(self, seconds: float, what: Callable[[], None]) -> None:
        def happens() -> None:
            what()
            self.time.after(self.chance.expovariate(1 / seconds), happens)

        self.time.after(self.chance.expovariate(1 / seconds), happens)

    def _job(self) -> None:
        self.watch.job_starts(self.chance.choice(self.watch.places))

    def _snapshot(self) -> None:
        for host in self.watch.hosts:
            host.journal.snapshot = host.journal.copy()

    def _window_ends(self) -> None:
        self.watch.window_ends(self.window)
        self.time.after(self.window, self._window_ends)


def simulate(seed: int, *, trace: bool = False, most_cycles: int = MOST_CYCLES) -> Result:
    """Run the world of a seed; with fewer cycles it is the beginning of the same history."""
    world = world_of(seed, keep_all=trace)
    world.watch.most_cycles = most_cycles
    result = Result(seed)
    try:
        world.run()
    except Violation as violation:
        result.violation = str(violation)
    except Exception as error:  # noqa: BLE001  a bug in the core is a broken promise too
        result.violation = f"bug: {type(error).__name__}: {error}"
        where = traceback.format_exc().strip()
        world.time.say("bug", where)
    watch = world.watch
    result.seconds = world.time.now * len(watch.hosts)
    result.events = world.time.events
    result.cycles = world.cycles()
    result.jobs, result.audits = watch.jobs, watch.audits
    result.faults, result.excused = world.faults.counts, watch.excused
    if trace or result.violation:
        result.trace = world.time.trace()
    return result


def world_of(seed: int, *, keep_all: bool = False) -> World:
    """Make the world of a seed."""
    chance = Random(seed)
    time = Timeline(keep_all=keep_all)
    registries = Registries(time)
    watch = Watch(registries)
    fleet = chance.choices(list(FLEETS), list(FLEETS.values()))[0]
    # Some worlds are fast; most are as slow as passwords of days to months make them.
    pace = 30.0 * 2880 ** chance.random() if chance.random() < 0.4 else DAY * 365 ** chance.random()
    count = {"two apart": 2, "three overlapping": 3}.get(fleet, chance.choice([1, 1, 2, 3]))
    watch.backends = [_backend(chance, registries, n, pace) for n in range(count)]
    schedule = _schedule(chance, pace)
    alike = fleet in {"one", "two alike", "five alike"}
    watch.places = [
        _place(chance, registries, n, watch.backends, alike=alike, alone=fleet == "one")
        for n in range(chance.choice([1, 1, 2, 3, 4, 6]))
    ]
    policies = [_policy(chance, place, watch.backends, alike=alike) for place in watch.places]
    proof = chance.choices(list(ProofMode), [7, 2, 1])[0]
    remove = frozenset({"old.example.com"}) if chance.random() < 0.2 else frozenset()
    at_once = Random(f"parts {seed}").choice([1, 2, AT_ONCE])
    for name, backends in _shares(fleet, watch.backends):
        host = Host(name, registries, watch, Random(chance.random()))
        host.rotation = Rotation(
            name="dind",
            sources=tuple(SimSource(host, backend) for backend in backends),
            targets=tuple(
                SimTarget(host, place, policy)
                for place, policy in zip(watch.places, policies, strict=True)
            ),
            schedule=schedule,
            proof=proof,
            remove=remove,
        )
        host.at_once = at_once
        watch.hosts.append(host)
    unit = min(
        schedule.poll.total_seconds(),
        *(budgets.shortest_period(backend, schedule) for backend in watch.backends),
    )
    length = min(_CYCLES * unit / len(watch.hosts) ** 0.5, 10 * YEAR)
    parts = [SourceFaults, RegistryFaults, HostFaults, PlaceFaults, ConfigurationChanges]
    faults = AllFaults(watch, [part(watch, chance, unit, length) for part in parts])
    names = faults.names()
    kinds = [] if chance.random() < 0.1 else chance.sample(names, chance.randrange(1, 9))
    time.say(
        "world",
        f"seed {seed}: {fleet}; lives {[b.kind + ' ' + span(b.life) for b in watch.backends]}; "
        f"longest_job {schedule.longest_job}, poll {schedule.poll}; prove {proof}; remove "
        f"{sorted(remove)}; delays {registries.delays}; places "
        f"{[_describe(p, q) for p, q in zip(watch.places, policies, strict=True)]}; faults {kinds}",
    )
    window = DAY if length > 3 * DAY else length / 3
    return World(time, chance, watch, unit, length, faults, tuple(kinds), window)


def _shares(fleet: str, backends: list[Backend]) -> list[tuple[str, list[Backend]]]:
    """Return each rotator's name and sources."""
    if fleet == "two apart":
        return [("a", backends[:1]), ("b", backends[1:])]
    if fleet == "three overlapping":
        return [("a", backends[:2]), ("b", backends[1:]), ("c", backends[:1] + backends[2:])]
    count = {"one": 1, "two alike": 2, "five alike": 5}[fleet]
    return [("abcde"[n], backends) for n in range(count)]


def _backend(chance: Random, registries: Registries, number: int, pace: float) -> Backend:
    kind = chance.choices(list(Kind), [5, 1, 5, 1, 2])[0]
    life = max(30.0, pace * 4 ** (chance.random() - 0.5))
    names = [f"r{number}.example.com"]
    if chance.random() < 0.2:
        names.append(f"r{number}.example.com:5000/team")
    for name in names:
        if life > 600 and chance.random() < 0.15:
            registries.delays[name] = chance.choice([1.0, 5.0, 20.0, 60.0])
    return Backend(
        name=f"source-{number}",
        registries=tuple(names),
        kind=kind,
        life=life,
        world=registries,
        last_life=life * chance.choice([1.0, 3.0, 20.0]),
        declared=chance.random() < 0.8,
        dated=chance.random() < 0.15,
    )


def _schedule(chance: Random, pace: float) -> Schedule:
    poll = min(DAY, max(5.0, pace / 3 * 0.01 ** chance.random()))
    longest = pace * chance.choice([0.01, 0.05, 0.2, 0.5, 0.7, 3.0])
    return Schedule(
        renew_after=chance.choice([0.3, 0.5, 0.5, 0.7]),
        jitter=chance.choice([0.0, 0.05, 0.05, 0.2]),
        poll=timedelta(seconds=poll),
        retry_initial=timedelta(seconds=chance.choice([1, 5, 30])),
        retry_max=timedelta(seconds=chance.choice([60, 600, 3600])),
        longest_job=timedelta(seconds=longest),
    )


def _place(
    chance: Random,
    world: Registries,
    number: int,
    backends: list[Backend],
    *,
    alike: bool,
    alone: bool,
) -> Place:
    place = Place(f"place-{number}", world)
    place.compares = chance.random() < 0.7
    place.gap = place.compares and chance.random() < 0.2
    place.local = alone and chance.random() < 0.4
    place.stores_damaged = chance.random() < 0.6
    # Two rotators with one registry can only tell each other's entries by the mark.
    place.marked = not alone or chance.random() < 0.8
    place.hidden = alike and chance.random() < 0.1
    shortest = min(backend.life for backend in backends)
    if not place.compares and shortest > 1200 and chance.random() < 0.3:
        place.stale = chance.choice([5.0, 30.0, 50.0])
    if alike and chance.random() < 0.15:
        place.content = chance.choice([Content.PASSWORD, Content.PASSWORD, Content.USERNAME])
        place.registry = chance.choice(backends).registries[0]
    elif not place.hidden and chance.random() < 0.5:
        place.edit(json.dumps(_FOREIGN), drops_mark=True)
    return place


def _policy(chance: Random, place: Place, backends: list[Backend], *, alike: bool) -> Policy:
    everything = [registry for backend in backends for registry in backend.registries]
    merge = Merge.REPLACE if place.hidden or (alike and chance.random() < 0.1) else Merge.PRESERVE
    chosen = frozenset(chance.sample(everything, chance.randrange(1, len(everything) + 1)))
    return Policy(
        registries=chosen if chance.random() < 0.2 else None,
        content=place.content,
        registry=place.registry,
        merge=merge,
        follows=chance.random() < 0.25,
    )


def _describe(place: Place, policy: Policy) -> str:
    parts = [
        place.name,
        "compares" if place.compares else "compares not",
        "gap" if place.gap else "",
        "local" if place.local else "",
        "stores damaged" if place.stores_damaged else "",
        "" if place.marked else "unmarked",
        "hidden" if place.hidden else "",
        f"stale {place.stale:.0f} s" if place.stale else "",
        "follows" if policy.follows else "",
        str(policy.content) if policy.content is not Content.DOCKER_CONFIG else "",
        str(policy.merge) if policy.merge is Merge.REPLACE else "",
        f"only {sorted(policy.registries)}" if policy.registries else "",
    ]
    return " ".join(part for part in parts if part)
