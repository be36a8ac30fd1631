"""A lease lives while some target may hold its credential."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rotator.core.model import Merge, Policy
from tests.simulation.world import World, WorldSource
from tests.support import MARKED
from tests.unit.core.builders import HOST, HOUR, document, down, foreign, site
from tests.unit.core.drivers import Place
from tests.unit.core.leased import leased


@pytest.mark.parametrize("failure", ["broken", "unreadable"])
def test_a_lease_lives_while_a_target_may_hold_its_credential(failure: str) -> None:
    """Revoking starts to count when every target has the new one."""
    late = Place("late")
    here = leased(Place("early"), late)
    setattr(late, failure, down())
    here.after(7 * HOUR)
    here.after(2 * HOUR)
    assert here.source.revoked == []
    setattr(late, failure, None)
    here.after(60)
    here.after(HOUR - 1)
    assert here.source.revoked == []
    here.after(1)
    assert here.source.revoked == ["lease/1"]


def test_a_target_that_has_no_use_for_a_credential_keeps_no_lease_alive() -> None:
    """It never held it."""
    other = Place("other", registries=frozenset())
    here = leased(Place(), other)
    other.unreadable = None
    here.after(7 * HOUR)
    here.after(HOUR)
    assert here.source.revoked == ["lease/1"]


def test_what_a_target_may_hold_that_can_not_be_read_is_not_ended() -> None:
    """A journal of version 0.1.0 does not say what it holds."""
    places = [Place("one"), Place("two")]
    world = World()
    here = site(world, sources=[WorldSource(world, leased=True)], targets=places)
    here.cycle()
    record = here.record
    two = replace(record.target("two"), entries={})
    here.journal.save(replace(record, targets={**record.targets, "two": two}))
    places[1].unreadable = down()
    here.after(7 * HOUR)
    assert here.source.fetches == 2
    assert here.record.retired == ()


@pytest.mark.parametrize("failing", ["refused", "held back"])
def test_what_a_hidden_value_may_hold_is_not_ended(failing: str) -> None:
    """The new credential is not in it yet, and the journal does not say what is."""
    world = World()
    source = WorldSource(world, leased=True)
    here = site(world, sources=[source], targets=[Place(merge=Merge.REPLACE)])
    here.place.hidden = True
    here.cycle()
    record = here.record
    unnamed = replace(record.target("target"), entries={})
    here.journal.save(replace(record, targets={"target": unnamed}))
    if failing == "refused":
        here.place.broken = down()
    else:
        here.place.policy = Policy(merge=Merge.PRESERVE)
        here.place.mark = None
    here.after(7 * HOUR)
    assert source.fetches == 2
    assert here.record.retired == ()


def test_no_lease_is_ended_while_a_target_cannot_be_read() -> None:
    """An older journal, restored from a backup, may not know that a target holds it again."""
    here = leased()
    here.after(7 * HOUR)
    here.place.unreadable = down()
    here.after(2 * HOUR)
    assert here.source.revoked == []
    here.place.unreadable = None
    here.after(600)
    assert here.source.revoked == ["lease/1"]


def test_no_lease_is_ended_while_a_target_holds_what_somebody_else_wrote() -> None:
    """Another rotator began its cycle before ours ended, and wrote what we had just replaced."""
    here = leased(Place(merge=Merge.REPLACE))
    here.place.hidden = True
    before = here.place.text
    here.configure(schedule=replace(here.rotation.schedule, poll=timedelta(hours=3)))
    here.after(7 * HOUR)
    here.place.put(before, foreign({HOST: here.world.now + timedelta(hours=5)}))
    here.wait_until(here.record.retired[0].revoke_at)
    here.cycle()
    assert here.source.revoked == []
    while here.place.password() == f"{MARKED}1":
        assert here.source.revoked == []
        here.wait_until(here.record.next_at)
        here.cycle()
    assert here.source.revoked == ["lease/1"]


def test_a_lease_waits_from_the_cycle_that_finds_its_credential_replaced() -> None:
    """Somebody else replaced it at some time since the last one, when it was there again."""
    here = leased()
    ours = here.place.text, here.place.mark
    here.after(60, force=True)
    del here.world.valid[HOST, f"{MARKED}2"]
    here.source.broken = down()
    here.place.put(*ours)
    here.after(1800)
    assert here.place.password() == f"{MARKED}1"
    here.source.broken = None
    theirs = document({HOST: here.world.issue(HOST, 20 * HOUR)})
    here.place.put(theirs, foreign({HOST: here.world.now + timedelta(hours=20)}))
    here.after(1500, force=True)
    here.after(HOUR - 1)
    assert "lease/1" not in here.source.revoked
    here.after(1)
    assert "lease/1" in here.source.revoked


def test_a_lease_waits_from_the_first_cycle_that_its_credential_can_not_have_been_there() -> None:
    """The twin of a cloned host put it back after ours, and took it out before our next read."""
    here = leased()
    here.after(60, force=True)
    theirs = document({HOST: here.world.issue(HOST, 20 * HOUR)})
    here.place.put(theirs, foreign({HOST: here.world.now + timedelta(hours=20)}))
    here.after(1800)
    here.after(1800)
    here.after(1799)
    assert "lease/1" not in here.source.revoked
    here.after(1)
    assert "lease/1" in here.source.revoked
