"""What is noted of a whole rotation: one sentence for what is the same of many registries."""

from __future__ import annotations

from tests.simulation.world import World, WorldSource
from tests.unit.core.builders import HOUR, login, site
from tests.unit.core.drivers import Fixed


def test_many_that_left_the_configuration_are_one_note() -> None:
    """The first of them are named, and the others counted."""
    world = World()
    hosts = [f"r{number:02}.example.com" for number in range(29)]
    logins = [login(world.issue(host, None), registry=host) for host in hosts]
    first = WorldSource(world)
    here = site(world, sources=[first, Fixed(world, *logins, name="second", declared=False)])
    here.cycle()
    here.configure(sources=(first,))
    (note,) = here.after(300).notes
    assert note.startswith("29 registries are no longer configured, and their entries stay")
    assert "r00.example.com, r01.example.com" in note
    assert "and 24 more" in note
    assert "remove: [r00.example.com]" in note
    assert len(note) < 300


def test_many_that_two_sources_give_are_one_note() -> None:
    """What the second source gives for them is not used."""
    world = World()
    hosts = [f"r{number}.example.com" for number in range(8)]
    logins = [login(world.issue(host, 12 * HOUR), registry=host) for host in hosts]
    both = [
        Fixed(world, *logins, name="one", declared=False),
        Fixed(world, *logins, name="two", declared=False),
    ]
    (note,) = site(world, sources=both).cycle().notes
    assert "what two gave for r0.example.com, r1.example.com" in note
    assert note.endswith("and 3 more is not used: one is first")
