"""Which credentials are still in use, so that their leases live on."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from rotator.core.model import Lease
from tests.simulation.world import World, WorldSource
from tests.support import MARKED
from tests.unit.core.builders import HOST, HOUR, OTHER, document, down, login, site
from tests.unit.core.drivers import Fixed


def test_a_retired_lease_waits_again_where_its_credential_is_used_again() -> None:
    """Its registry rejected it for a while: it ends a full wait after nothing holds it any more."""
    world = World()
    source = WorldSource(world, leased=True)
    here = site(world, sources=[source])
    here.cycle()
    first = f"{MARKED}1"
    end = world.valid.pop((HOST, first))
    here.after(60)
    assert [one.lease.id for one in here.record.retired] == ["lease/1"]
    world.valid.clear()
    world.valid[HOST, first] = end
    source.broken = down()
    here.place.put(document({HOST: first}), here.place.mark)
    for _ in range(4):
        here.after(HOUR)
    assert source.revoked == ["lease/2"]
    source.broken = None
    here.cycle(force=True)
    here.after(0.9 * HOUR)
    assert "lease/1" not in source.revoked
    here.after(0.2 * HOUR)
    assert "lease/1" in source.revoked


def test_what_a_paused_target_held_last_is_still_published() -> None:
    """Jobs read it there; its lease ends a full wait after something else stands there."""
    world = World()
    here = site(world, sources=[WorldSource(world, leased=True)])
    here.cycle()
    place = here.place
    place.policy = replace(place.policy, enabled=False)
    here.after(60, force=True)
    here.after(2 * HOUR)
    assert here.source.revoked == []
    place.policy = replace(place.policy, enabled=True)
    here.cycle()
    here.after(0.9 * HOUR)
    assert here.source.revoked == []
    here.after(0.2 * HOUR)
    assert here.source.revoked == ["lease/1"]


def test_a_lease_of_two_registries_is_not_retired_while_one_of_them_uses_it() -> None:
    """The other one's credential is pending."""
    world = World()
    lease = Lease("lease/both", world.now + timedelta(hours=12), renewable=False)
    good = world.issue(OTHER, 12 * HOUR)
    answers = (
        login("s3cr3t-unknown", HOST, expires_in=12 * HOUR, lease=lease),
        login(good, OTHER, expires_in=12 * HOUR, lease=lease),
    )
    source = Fixed(world, *answers, declared=False)
    here = site(world, sources=[source])
    here.cycle()
    assert (HOST in here.record.pending, here.record.retired) == (True, ())
    here.after(121)
    assert source.revoked == []
