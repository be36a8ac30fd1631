"""Several rotators on one target: what another one published is used, and they agree."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tests.simulation.world import MemoryJournal, World, WorldSource
from tests.support import MARKED
from tests.unit.core.another import theirs
from tests.unit.core.builders import (
    HOST,
    HOUR,
    OTHER,
    Site,
    credential,
    document,
    down,
    failing,
    foreign,
    login,
    site,
    target,
)
from tests.unit.core.drivers import Fixed, Place


def beside(here: Site, name: str, registry: str = HOST) -> Site:
    """Return another rotator, with its own journal and key, on the same target."""
    source = WorldSource(here.world, registry)
    other = site(here.world, sources=[source], targets=[here.place], name=name)
    other.journal = MemoryJournal(name)
    return other


def test_what_another_rotator_published_is_used() -> None:
    """It works and lasts, so nothing is fetched and nothing is written."""
    here = site()
    password = theirs(here, 12 * HOUR, marked=12 * HOUR)
    report = here.cycle()
    assert (here.source.fetches, here.place.writes) == (0, [])
    assert here.place.password() == password
    assert (credential(report).outcome, credential(report).proof) == ("fresh", "accepted")
    assert (report.outcome, report.job_safe) == ("fresh", True)


def test_what_another_published_is_renewed_before_it_ends() -> None:
    """Whether or not the one that fetched it is still there."""
    here = site()
    theirs(here, 12 * HOUR, marked=12 * HOUR)
    here.cycle()
    (known,) = here.record.credentials[HOST]
    assert known.foreign
    assert known.renew_at is not None
    assert here.world.now < known.renew_at < here.world.now + timedelta(hours=11)
    here.wait_until(known.renew_at)
    assert credential(here.cycle()).outcome == "fetched"


def test_what_another_rotator_published_without_an_end_is_not_relied_on() -> None:
    """It may end at any moment: ours is fetched and published."""
    here = site()
    password = theirs(here, 12 * HOUR, marked=None)
    report = here.cycle()
    assert credential(report).outcome == "fetched"
    assert here.place.password() != password
    assert report.job_safe


@pytest.mark.parametrize(
    ("marked", "stays"),
    [
        pytest.param(13 * HOUR, True, id="a later end wins"),
        pytest.param(12 * HOUR - 300, True, id="a tie stays"),
        pytest.param(6 * HOUR, False, id="a sooner end loses"),
        pytest.param(None, False, id="one without a known end loses"),
    ],
)
def test_a_later_known_end_wins(*, marked: float | None, stays: bool) -> None:
    """Rotators on one target agree without talking, and never write in turns for ever."""
    here = site()
    here.cycle()
    mine = here.place.password()
    here.world.pass_time(300)
    password = theirs(here, 13 * HOUR, marked=marked)
    here.cycle()
    assert here.place.password() == (password if stays else mine)
    version = here.place.version
    here.after(300)
    assert here.place.version == version
    assert here.source.fetches == 1


def test_ours_replaces_one_without_a_known_end() -> None:
    """Else the target could promise nothing until the next renewal."""
    here = site()
    here.cycle()
    mine = here.place.password()
    theirs(here, 13 * HOUR, marked=None)
    assert here.cycle().job_safe
    assert here.place.password() == mine
    assert here.source.fetches == 1


def test_another_rotators_entry_that_is_rejected_is_replaced() -> None:
    """Whatever its mark says."""
    here = site()
    here.cycle()
    mine = here.place.password()
    here.place.put(
        document({HOST: "s3cr3t-dead"}), foreign({HOST: here.world.now + timedelta(days=9)})
    )
    reported = target(here.after(300))
    assert here.place.password() == mine
    assert [change.why for change in reported.changes] == ["rejected"]


def test_an_old_entry_of_ours_that_another_rotator_copied_is_renewed() -> None:
    """It is ours, though the last mark is not."""
    here = site()
    here.cycle()
    old = here.place.text
    here.cycle(force=True)
    new = here.place.password()
    here.place.put(old, foreign({HOST: here.world.now + timedelta(days=9)}))
    reported = target(here.after(120))
    assert here.place.password() == new
    assert [change.why for change in reported.changes] == ["superseded"]


def test_two_rotators_with_two_registries_do_not_overwrite_each_other() -> None:
    """Each keeps the other's entry, and the other's end in the mark."""
    one = site()
    two = beside(one, "two", OTHER)
    for rotator in (one, two) * 3:
        rotator.after(120)
    assert len(one.place.writes) == 2
    assert one.place.marked(HOST)
    assert one.place.marked(OTHER)
    assert set(one.place.document.logins()) == {HOST, OTHER}


def test_two_rotators_with_one_registry_fetch_once_a_life() -> None:
    """Whoever is due first fetches for both."""
    one = site()
    two = beside(one, "two")
    for rotator in (one, two) * 40:
        rotator.after(300)
    assert one.source.fetches + two.source.fetches == 2
    assert len(one.place.writes) == 2


def test_a_lease_that_another_rotator_lengthened_is_not_fetched_for() -> None:
    """Its mark tells a later end than the one that was adopted."""
    here = site()
    theirs(here, 30 * HOUR, marked=12 * HOUR)
    here.cycle()
    here.world.pass_time(5 * HOUR)
    later = here.world.now + timedelta(hours=12)
    here.place.put(here.place.text, foreign({HOST: later}))
    report = here.cycle()
    assert credential(report).expires_at == later
    here.after(2 * HOUR)
    assert here.source.fetches == 0


def test_a_source_that_gave_short_lives_is_asked_again_when_they_have_ended() -> None:
    """Until then no end of another rotator, which lengthens its lease, would make jobs safe."""
    here = site(schedule={"longest_job": timedelta(hours=8)})
    here.source.life = 4 * HOUR
    here.cycle(force=True)
    theirs(here, 90 * HOUR, marked=40 * HOUR)
    here.source.life = 40 * HOUR
    fetches = []
    for hours in range(1, 5):
        later = here.world.now + timedelta(hours=40)
        here.place.put(here.place.text, foreign({HOST: later}))
        report = here.after(HOUR)
        fetches.append(here.source.fetches)
        assert report.job_safe == (hours == 4)
    assert fetches == [1, 1, 1, 2]


def test_what_another_rotator_published_ends_our_trouble() -> None:
    """Something fresh is in hand, so nobody waits for our source any more."""
    here = failing(down())
    theirs(here, 12 * HOUR, marked=12 * HOUR)
    report = here.cycle()
    assert (report.outcome, here.record.source("vault").failure) == ("fresh", None)
    assert here.source.fetches == 2


def test_what_another_rotator_replaces_is_not_taken_out() -> None:
    """Its entry is another one each time; no person takes ours out again and again."""
    here = site()
    here.cycle()
    for number in range(3):
        theirs(here, 24 * HOUR, marked=24 * HOUR)
        here.place.mark = replace(
            foreign({HOST: here.place.marked()}), fingerprint=f"hmac:another{number}"
        )
        assert here.after(60).job_safe
    assert here.record.target("target").drifts == ()


def test_what_has_no_end_and_was_never_fetched_here_is_asked_for() -> None:
    """A mark says that it never ends; our own source may have another one."""
    here = site()
    here.place.put(document({HOST: here.world.issue(HOST, None)}), foreign({HOST: None}))
    here.cycle()
    assert here.source.fetches == 1


def test_a_repair_gives_no_end_of_what_it_replaces() -> None:
    """We remember another rotator's older entry, and the mark is of its newer one."""
    world = World()
    here = site(world)
    theirs_of = beside(here, "theirs", OTHER)
    theirs_of.cycle()
    old = here.place.marked(OTHER)
    here.cycle()
    theirs_of.after(7 * HOUR)
    here.place.put('{"auth', here.place.mark)
    here.after(60)
    assert here.place.mark is not None
    assert here.place.mark.expires.get(OTHER) in {None, old}


def test_two_that_were_given_the_same_agree_on_its_end() -> None:
    """Each knows one of two entries a moment longer; the mark holds the later end of both."""
    world = World()
    shared = Place("shared")
    moments = {HOST: 1, OTHER: -1}

    def one(sign: int) -> Site:
        answers = [
            login(f"{MARKED}{host}", host, world=world, expires_in=12 * HOUR + sign * late)
            for host, late in moments.items()
        ]
        sources = [Fixed(world, *answers, declared=False)]
        return site(world, sources=sources, targets=[shared])

    for host in moments:
        world.valid[host, f"{MARKED}{host}"] = None
    sites = one(1), one(-1)
    sites[1].journal.key = "two"
    for here in sites * 3:
        here.after(60)
    sites[0].restart()
    before = len(shared.writes)
    for here in sites * 3:
        here.after(60)
    assert len(shared.writes) == before
