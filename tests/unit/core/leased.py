"""A rotator that has published a credential with a lease."""

from __future__ import annotations

from datetime import timedelta

from tests.simulation.world import World, WorldSource
from tests.unit.core.builders import Site, site
from tests.unit.core.drivers import Place


def leased(
    *places: Place, source: type[WorldSource] = WorldSource, revoke_after: float | None = None
) -> Site:
    """Return a rotator that has published a credential with a lease."""
    world = World()
    driver = source(world, leased=True)
    driver.revoke_after = None if revoke_after is None else timedelta(seconds=revoke_after)
    here = site(world, sources=[driver], targets=places or [Place()])
    here.cycle()
    return here
