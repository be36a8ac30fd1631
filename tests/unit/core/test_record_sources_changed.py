"""A source that is configured in another way since the last cycle, as by a reload."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.core.model import Credential, Proof, Verdict
from tests.simulation.world import World, WorldSource
from tests.support import MARKED, NOW
from tests.unit.core.builders import HOST, HOUR, OTHER, Site, credential, down, site
from tests.unit.core.test_fetch_pending import SlowWorld


def configured(world: World, registry: str = HOST, how: str = "one", **source: bool) -> WorldSource:
    """Return a source that is configured so."""
    driver = WorldSource(world, registry, **source)
    driver.configured = how
    return driver


def reload(here: Site, source: WorldSource) -> None:
    """Let the rotation have this source instead of the one that it had."""
    here.configure(sources=(source,))


def test_it_is_asked_at_once_and_what_it_gives_is_published() -> None:
    """Though what is published would last: it comes from somewhere else."""
    world = World()
    here = site(world, sources=[configured(world)])
    here.cycle()
    other = configured(world, how="two")
    other.life = 6 * HOUR
    reload(here, other)
    report = here.after(60)
    assert credential(report).outcome == "fetched"
    assert here.place.password() == f"{MARKED}2"
    assert here.after(60).outcome == "fresh"
    assert other.fetches == 1


def test_what_was_known_of_it_is_of_another_source() -> None:
    """Its registries, its wait, and how long its credentials live."""
    world = World()
    here = site(world, sources=[configured(world, declared=False)])
    here.cycle()
    other = configured(world, OTHER, how="two", declared=False)
    other.broken = down()
    reload(here, other)
    report = here.after(60)
    assert not report.job_safe
    assert [one.registry for one in report.credentials] == [None]
    assert report.notes == ()
    assert here.record.source("vault").longest_life is None
    other.broken = None
    here.configure(sources=(configured(world, OTHER, how="three", declared=False),))
    report = here.after(1)
    assert report.job_safe
    assert credential(report, OTHER).outcome == "fetched"
    assert "no longer configured" in " ".join(report.notes)


def test_one_that_gives_nothing_is_asked_again() -> None:
    """It has failed, though what is published lasts."""
    world = World()
    here = site(world, sources=[configured(world)])
    here.cycle()
    other = configured(world, how="two")
    other.broken = down()
    reload(here, other)
    for _ in range(3):
        assert credential(here.cycle()).failure is not None
        here.wait_until(here.record.next_at)
    other.broken = None
    assert credential(here.cycle()).outcome == "fetched"
    assert other.fetches == 4


@pytest.mark.parametrize("later", [40, 150])
def test_what_is_pending_of_it_is_published_once_it_is_accepted(later: int) -> None:
    """During `settle` or after it; then the source is as any other."""
    world = SlowWorld(30)
    here = site(world, sources=[configured(world)])
    here.after(0)
    here.after(40)
    assert here.place.password() == f"{MARKED}1"
    other = configured(world, how="two")
    other.life = 6 * HOUR
    reload(here, other)
    assert credential(here.cycle()).outcome == "pending"
    here.after(later)
    assert here.place.password() == f"{MARKED}2"
    here.after(60)
    assert other.fetches == 1


@pytest.mark.parametrize("settle", [0, 60])
def test_one_whose_credential_is_rejected_is_asked_again(settle: int) -> None:
    """Until then the rotation says that it has failed: the change does not work."""

    class Refusing(World):
        """A world whose registry rejects what came after the first."""

        refuses = True

        def prove(self, login: Credential) -> Proof:
            """Reject it."""
            if self.refuses and login.password.reveal() != f"{MARKED}1":
                return Proof(Verdict.REJECTED, "401")
            return super().prove(login)

    world = Refusing()
    here = site(world, sources=[configured(world)], settle=timedelta(seconds=settle))
    here.cycle()
    other = configured(world, how="two")
    reload(here, other)
    while other.fetches < 3:
        report = here.cycle()
        assert credential(report).failure is not None
        assert report.job_safe
        here.wait_until(here.record.next_at)
        assert here.world.now < NOW + timedelta(hours=2)
    world.refuses = False
    here.cycle()
    assert here.place.password() in {f"{MARKED}4", f"{MARKED}5"}
    assert not here.record.source("vault").changed


def test_a_journal_of_an_earlier_version_changes_nothing() -> None:
    """It does not say how the source was configured."""
    world = World()
    here = site(world, sources=[configured(world, how="")])
    here.cycle()
    reload(here, configured(world, how="two"))
    assert here.after(60).outcome == "fresh"
    assert here.record.source("vault").configured == "two"


def test_one_that_changes_again_while_a_credential_is_pending_is_asked_at_once() -> None:
    """A person has corrected what was configured wrongly."""
    world = SlowWorld(3600)
    here = site(world, sources=[configured(world)])
    assert credential(here.cycle()).outcome == "pending"
    other = configured(world, how="two")
    reload(here, other)
    here.after(1)
    assert other.fetches == 1
