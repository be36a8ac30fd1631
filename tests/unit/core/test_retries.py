"""How long a source that failed is left alone, and who counts its failures."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.core.errors import LoginRejectedError, PermanentError, Reason, TemporaryError
from tests.simulation.world import World, WorldSource, refused
from tests.unit.core.builders import (
    HOST,
    HOUR,
    OTHER,
    POLL,
    Site,
    credential,
    down,
    failing,
    login,
    seconds_until,
    site,
    trouble,
)
from tests.unit.core.drivers import Fixed


@pytest.mark.parametrize(
    ("error", "published", "least", "most"),
    [
        pytest.param(down(), True, 1, 5, id="temporary: soon"),
        pytest.param(down(), False, 1, 5, id="temporary, with nothing published"),
        pytest.param(refused(), True, 300, 600, id="permanent: slowly"),
        pytest.param(refused(), False, 7, 15, id="permanent, with nothing published"),
        pytest.param(KeyError("bug"), True, 1, 5, id="a bug: as if waiting helped"),
        pytest.param(down(retry_after=200), True, 200, 220, id="as long as we were asked to"),
        pytest.param(down(retry_after=9000), True, 600, 660, id="as far as the life allows"),
        pytest.param(down(retry_after=9000), False, 60, 66, id="a minute with nothing published"),
    ],
)
def test_a_source_that_failed_is_asked_again_after_its_wait(
    *,
    error: Exception,
    published: bool,
    least: float,
    most: float,
) -> None:
    """Not before, and then again."""
    here = failing(error, published=published)
    fetches = here.source.fetches
    assert least <= seconds_until(trouble(here).retry_at, here.world) <= most
    here.wait_until(trouble(here).retry_at - timedelta(seconds=1))
    here.cycle()
    assert here.source.fetches == fetches
    here.wait_until(trouble(here).retry_at)
    here.cycle()
    assert here.source.fetches == fetches + 1


def test_failures_are_counted_from_the_first_one() -> None:
    """Waits grow, and a person sees since when it fails; one success ends it."""
    here = failing(down())
    here.world.draws = lambda: 0.99
    since = here.world.now
    waits = []
    for count in range(2, 6):
        here.wait_until(trouble(here).retry_at)
        here.cycle()
        assert (trouble(here).count, trouble(here).since) == (count, since)
        waits.append(seconds_until(trouble(here).retry_at, here.world))
    assert waits == sorted(waits)
    assert waits[-1] > 2 * waits[0]
    here.source.broken = None
    here.wait_until(trouble(here).retry_at)
    here.cycle()
    assert here.record.source("vault").failure is None


def test_each_source_counts_for_itself() -> None:
    """One that works is not slowed down by one that does not."""
    world = World()
    good, bad = WorldSource(world), WorldSource(world, OTHER, "bad")
    bad.broken = down()
    here = site(world, sources=[good, bad])
    here.cycle()
    assert here.record.source("vault").failure is None
    assert trouble(here, "bad").count == 1


def test_a_clock_that_went_back_ends_a_wait() -> None:
    """A wait that began in the future would last for ever."""
    here = failing(down())
    here.world.pass_time(-24 * HOUR)
    here.source.broken = None
    assert credential(here.cycle()).outcome == "fetched"


def test_a_source_without_a_known_registry_waits_too() -> None:
    """Nothing tells what it would serve, and it is not asked in every cycle for that."""
    world = World()
    source = WorldSource(world, declared=False)
    source.broken = down()
    here = site(world, sources=[source])
    here.cycle()
    report = here.cycle()
    assert source.fetches == 1
    reported = credential(report, None)
    assert (reported.outcome, reported.source, reported.proof) == ("failed", "vault", "skipped")
    assert reported.failure is not None


def test_the_renewal_after_failures_is_spread_widely() -> None:
    """Hosts that waited for the same server do not come back together for ever after."""
    here = site()
    here.cycle()
    here.world.draws = lambda: 0.99
    here.source.broken = down()
    here.after(7 * HOUR)
    here.wait_until(trouble(here).retry_at)
    here.source.broken = None
    here.cycle()
    known = here.record.credentials[HOST][0]
    assert seconds_until(known.renew_at, here.world) < HOUR


# A rejected login


def rejected(stamp: str | None = "1:40:7") -> Site:
    """Return a rotator with hours in hand whose login was rejected just now."""
    return failing(LoginRejectedError("vault says 400", "write a new secret id"), stamp=stamp)


@pytest.mark.parametrize("stamp", ["1:40:7", None])
def test_a_rejected_login_is_not_offered_again_for_twenty_minutes(stamp: str | None) -> None:
    """Five wrong secret ids lock the role, and then the right one is refused, too."""
    here = rejected(stamp)
    assert 1200 <= seconds_until(trouble(here).retry_at, here.world) <= 1320
    for _ in range(4):
        here.after(299)
    assert here.source.fetches == 2
    here.wait_until(trouble(here).retry_at)
    here.cycle()
    assert here.source.fetches == 3


def test_a_rejected_login_waits_as_long_with_nothing_published() -> None:
    """However urgent it is: a locked role helps nobody."""
    here = failing(LoginRejectedError("vault says 400", "write a new one"), published=False)
    assert seconds_until(trouble(here).retry_at, here.world) >= 1200


def test_a_rejected_login_waits_as_long_after_a_restart() -> None:
    """A restart is no new secret."""
    here = rejected()
    here.restart()
    here.after(60)
    assert here.source.fetches == 2


def test_a_new_login_secret_is_offered_at_once() -> None:
    """Its file has changed, so it is another secret."""
    here = rejected()
    here.source.stamp, here.source.broken = "2:40:8", None
    assert credential(here.after(15)).outcome == "fetched"


def test_a_new_login_secret_that_is_rejected_as_well_waits_again() -> None:
    """What counts is the secret that was offered last."""
    here = rejected()
    here.source.stamp = "2:40:8"
    here.after(15)
    here.after(15)
    assert here.source.fetches == 3


def test_a_wait_for_hours_of_life_is_cut_when_they_are_lost() -> None:
    """The registry rejects what is published: now a person waits."""
    here = failing(refused())
    here.world.valid.clear()
    here.after(15)
    assert seconds_until(trouble(here).retry_at, here.world) <= 15


def test_a_throttled_source_is_not_asked_sooner_because_hours_are_lost() -> None:
    """A minute is the least that it asked for, however urgent it is."""
    asked = TemporaryError(Reason.THROTTLED, "429", "wait", retry_after=500)
    here = failing(asked)
    here.world.valid.clear()
    here.cycle()
    assert 15 < seconds_until(trouble(here).retry_at, here.world) <= 60


def test_a_source_that_gives_the_same_again_is_asked_again_later() -> None:
    """Its renewal moves into the rest of the life: it is not asked in every cycle."""
    world = World()
    source = Fixed(world, login(world.issue(HOST, 12 * HOUR), expires_in=12 * HOUR))
    here = site(world, sources=[source])
    here.cycle()
    here.after(7 * HOUR)
    report = here.after(60)
    assert (source.fetches, report.outcome) == (2, "fresh")
    here.after(4 * HOUR)
    assert source.fetches == 3


def test_a_fetch_that_was_asked_for_is_tried_again_until_it_succeeds() -> None:
    """`run-once` of a fresh rotation whose source is down: the daemon goes on with it."""
    here = site()
    here.cycle()
    here.source.broken = down()
    assert here.after(60, force=True).outcome == "failed"
    assert here.after(1).outcome == "failed"
    here.source.broken = None
    here.wait_until(trouble(here).retry_at)
    assert credential(here.cycle()).outcome == "fetched"


@pytest.mark.parametrize("error", [down(), refused()])
def test_a_secret_that_was_corrected_is_picked_up_within_a_poll(error: Exception) -> None:
    """What has no end is looked at each poll, and not more seldom because that failed."""
    here = site(sources=[WorldSource(World(), life=None)])
    here.source.world = here.world
    here.world.draws = lambda: 0.99
    here.cycle()
    here.source.broken = error
    for _ in range(12):
        here.after(POLL.total_seconds())
    assert trouble(here).count > 8
    assert trouble(here).retry_at - here.world.now <= POLL


def test_a_secret_file_that_was_missing_is_tried_as_soon_as_it_is_there() -> None:
    """Whoever writes it may start later than we do."""
    here = site()
    here.source.stamp = "missing"
    here.source.broken = PermanentError(Reason.UNREADABLE, "no such file", "write it")
    here.cycle()
    here.cycle()
    assert here.source.fetches == 1
    here.source.stamp, here.source.broken = "there", None
    assert here.cycle().outcome == "rotated"
