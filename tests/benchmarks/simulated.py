"""What can't be had for real: a year, and a fleet of 10,000 hosts."""

from __future__ import annotations

import time
from collections import Counter
from random import Random

from rotator.core import cycle
from rotator.core.recall import Memory
from rotator.core.rotation import Rotation
from tests.benchmarks.measure import Row
from tests.simulation.scenario import YEAR, simulate
from tests.simulation.test_fleet_load import HOSTS, renewals
from tests.simulation.world import MemoryJournal, World, WorldSource, WorldTarget

SEEDS = range(1, 21)
_DAY = 24 * 60
_HOUR = 3600


def years() -> list[Row]:
    """Measure how many years of one rotation the simulation runs in a second."""
    begun = time.perf_counter()
    seconds = sum(simulate(seed).seconds for seed in SEEDS)
    taken = time.perf_counter() - begun
    return [Row("simulation: years a second", "one", "", seconds / YEAR / taken, 1.0)]


def fleet() -> list[Row]:
    """Count what a fleet asks of its source: deployed together, and restarted together."""
    chance = Random(1)  # noqa: S311  the same fleet each time
    minutes = Counter(int(at) for _ in range(HOSTS) for at in renewals(chance))
    rows = []
    for name, begin in (("first", 0), ("second", _DAY)):
        day = [minutes[minute] for minute in range(begin, begin + _DAY)]
        rows.append(Row(f"fleet: busiest minute of the {name} day", "the mean", "", max(day),
                        sum(day) / len(day), 2.0))  # fmt: skip
    rows.append(Row("fleet: fetches after a restart", "none", "", _restarted(chance), 0, 1.0))
    return rows


def _restarted(chance: Random) -> int:
    """Return how often hosts with a fresh credential ask when all come back at once."""
    world = World(draws=chance.random)
    fetches = 0
    for number in range(HOSTS):
        source, target, journal = WorldSource(world), WorldTarget(), MemoryJournal(str(number))
        rotation = Rotation("dind", (source,), (target,))
        cycle.run(rotation, Memory(), world.ports(journal))
        world.pass_time(_HOUR)
        cycle.run(rotation, Memory(), world.ports(journal), cycle.Options(starting=True))
        world.pass_time(-_HOUR)
        fetches += source.fetches - 1
    return fetches
