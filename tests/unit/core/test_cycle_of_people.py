"""What a person put into a source or a target, and what ends sooner than what is there."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from rotator.core.model import Merge
from tests.simulation.world import World, WorldSource
from tests.support import MARKED
from tests.unit.core.another import theirs
from tests.unit.core.builders import (
    HOST,
    HOUR,
    OTHER,
    credential,
    document,
    down,
    foreign,
    login,
    site,
    target,
)
from tests.unit.core.drivers import Fixed, Place


def test_an_entry_without_a_mark_stays_where_ours_can_not_be_fetched() -> None:
    """It is better than nothing, and nothing is promised of it."""
    here = site()
    password = theirs(here, 12 * HOUR, marked=None)
    here.source.broken = down()
    for _ in range(2):
        report = here.after(300)
        assert here.place.password() == password
        assert (credential(report).outcome, report.job_safe) == ("kept", False)


def test_what_ends_sooner_than_what_is_known_is_not_taken() -> None:
    """Else two rotators would replace each other's for ever; its lease ends at once."""
    world = World()
    here = site(world, sources=[WorldSource(world, life=2 * HOUR, leased=True)])
    password = theirs(here, 5 * HOUR, marked=5 * HOUR)
    here.cycle()
    (known,) = here.record.credentials[HOST]
    here.wait_until(known.renew_at)
    report = here.cycle()
    assert here.place.password() == password
    assert any("ends sooner" in note for note in report.notes)
    assert here.source.revoked == ["lease/2"]


def test_what_a_person_put_into_a_source_is_taken_though_it_ends_sooner() -> None:
    """A password that was changed in Vault KV before its end replaces the old one."""
    world = World()
    source = Fixed(world, login(world.issue(HOST, 12 * HOUR), expires_in=12 * HOUR))
    source.changes_early = True
    here = site(world, sources=[source])
    here.cycle()
    changed = world.issue(HOST, 6 * HOUR)
    source.answers = (login(changed, expires_in=6 * HOUR),)
    here.after(301)
    assert here.place.password() == changed.reveal()


def test_what_never_ends_is_compared_with_its_source() -> None:
    """It may have been changed since: its source is asked once, and then each poll."""
    world = World()
    here = site(world, sources=[WorldSource(world, life=None)])
    here.place.put(document({HOST: world.issue(HOST, None)}), foreign({HOST: None}))
    here.cycle()
    assert here.source.fetches == 1
    here.after(60)
    assert here.source.fetches == 1
    here.after(300)
    assert here.source.fetches == 2


def test_what_its_owner_replaced_is_not_put_back_from_memory() -> None:
    """Its owner may end it at any time, even where the new one does not work."""
    here = site()
    old = theirs(here, 12 * HOUR, marked=12 * HOUR)
    here.cycle()
    new = theirs(here, 12 * HOUR, marked=12 * HOUR)
    here.place.mark = replace(foreign({HOST: here.place.marked()}), fingerprint="hmac:another")
    del here.world.valid[HOST, new]
    here.after(60)
    assert here.source.fetches == 1
    assert here.place.password() not in {old, new}


def test_what_a_person_put_into_one_target_does_not_go_into_the_others() -> None:
    """Its registry can't be asked, and nobody says until when it is good."""
    places = [Place("one"), Place("two")]
    here = site(targets=places)
    here.cycle()
    here.world.valid.clear()
    here.source.broken = down()
    here.restart()
    here.after(60)
    here.world.unreachable.add(HOST)
    places[1].put(document({HOST: "s3cr3t-by-hand"}))
    here.after(60)
    assert places[0].password() == f"{MARKED}1"


def test_a_mark_says_when_the_new_entry_ends_though_the_old_one_ended_later() -> None:
    """Somebody fetched by force; the source gives shorter lives now."""
    here = site()
    here.cycle()
    here.source.life = 2 * HOUR
    here.after(60, force=True)
    assert here.place.marked() == here.world.now + timedelta(hours=2)


def test_what_its_source_gives_again_with_a_later_end_is_not_lost_from_a_hidden_value() -> None:
    """Its registry rejects it just now, and the end that was noted has passed."""
    world = World()
    again = Fixed(world, login("s3cr3t-same", OTHER, expires_in=60), name="again", registry=OTHER)
    place = Place(merge=Merge.REPLACE)
    place.hidden = True
    here = site(world, sources=[WorldSource(world), again], targets=[place])
    world.valid[OTHER, "s3cr3t-same"] = None
    here.cycle()
    world.valid.clear()
    world.pass_time(90)
    again.answers = (login("s3cr3t-same", OTHER, world=world, expires_in=HOUR),)
    before = place.text
    report = here.cycle(force=True)
    assert (target(report).outcome, place.text) == ("held_back", before)
