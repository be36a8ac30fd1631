"""What a fleet asks of a source: hosts deployed together, and restarted together."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from random import Random

from rotator.core import cycle, schedule
from rotator.core.model import Schedule
from rotator.core.recall import Memory
from rotator.core.rotation import Rotation
from tests.simulation.world import MemoryJournal, World, WorldSource, WorldTarget
from tests.support import NOW

HOSTS = 10_000
LIFE = timedelta(hours=12)
DAY = timedelta(days=1)


def renewals(chance: Random) -> list[float]:
    """Return the minutes at which one host renews, in two days after its deployment."""
    found = []
    issued, first = NOW, True
    while issued < NOW + 2 * DAY:
        u = chance.random()
        issued = schedule.renew_at(issued, issued + LIFE, Schedule(), wide=first, u=u)
        first = False
        found.append((issued - NOW) / timedelta(minutes=1))
    return found


def test_hosts_that_were_deployed_together_do_not_ask_together() -> None:
    """From the first day on, the busiest minute has at most twice the mean."""
    chance = Random(1)
    minutes = Counter(int(at) for _ in range(HOSTS) for at in renewals(chance))
    for begin in (0, 24 * 60):
        day = [minutes[minute] for minute in range(begin, begin + 24 * 60)]
        assert max(day) <= 2 * sum(day) / len(day)


def test_a_restart_of_the_whole_fleet_fetches_nothing() -> None:
    """What is published and fresh is used: hosts that come back together ask nobody."""
    chance = Random(2)
    world = World(draws=chance.random)
    fleet = []
    for number in range(300):
        source, target = WorldSource(world), WorldTarget()
        rotation = Rotation("dind", (source,), (target,))
        journal = MemoryJournal(str(number))
        cycle.run(rotation, Memory(), world.ports(journal))
        fleet.append((source, rotation, journal))
    # Some are overdue by now: they were off when their time came.
    world.pass_time(6 * 3600)
    for _, rotation, journal in fleet:
        cycle.run(rotation, Memory(), world.ports(journal), cycle.Options(starting=True))
    assert {source.fetches for source, _, _ in fleet} == {1}
    records = [journal.load() for _, _, journal in fleet]
    assert all(record.job_safe and record.next_at for record in records)


def test_what_was_put_off_is_spread_over_a_poll_and_then_done() -> None:
    """Ten minutes after the restart every host that was overdue has renewed."""
    chance = Random(3)
    world = World(draws=chance.random)
    source, target = WorldSource(world), WorldTarget()
    rotation, journal = Rotation("dind", (source,), (target,)), MemoryJournal()
    cycle.run(rotation, Memory(), world.ports(journal))
    world.pass_time(10 * 3600)
    report, memory = cycle.run(
        rotation, Memory(), world.ports(journal), cycle.Options(starting=True)
    )
    end = world.now + timedelta(minutes=10)
    while world.now < end and report.next_at is not None:
        world.now = max(report.next_at, world.now)
        report, memory = cycle.run(rotation, memory, world.ports(journal))
    assert source.fetches == 2


def test_hosts_that_read_a_hub_and_were_deployed_together_do_not_ask_together() -> None:
    """Nothing of it ends, so each host asks once a poll: the minutes of a poll are alike."""
    world = World(draws=Random(4).random)
    polls = []
    for number in range(1000):
        source, journal = WorldSource(world, life=None), MemoryJournal(str(number))
        cycle.run(Rotation("dind", (source,), (WorldTarget(),)), Memory(), world.ports(journal))
        polls.append((journal.load().source("vault").poll_at or world.now) - world.now)
    minutes = Counter(int(poll / timedelta(minutes=1)) for poll in polls)
    assert max(minutes.values()) <= 2 * len(polls) / 5
