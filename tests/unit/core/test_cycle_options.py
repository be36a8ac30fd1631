"""Cycles that differ from the usual one: paused, dry, the first one after a start."""

from __future__ import annotations

from tests.simulation.world import World, WorldSource
from tests.unit.core.builders import HOST, HOUR, Site, credential, seconds_until, site, target
from tests.unit.core.drivers import Place

# Paused


def test_a_paused_rotation_does_nothing() -> None:
    """Nothing is read, fetched or written; what was safe stays safe until it ends."""
    here = site()
    here.cycle()
    memory, reads = here.memory, here.place.reads
    here.configure(enabled=False)
    report = here.after(600)
    assert (report.outcome, report.next_at, report.job_safe) == ("paused", None, True)
    assert report.safe_until == here.record.safe_until
    assert target(report).outcome == "paused"
    assert (here.source.fetches, here.place.reads) == (1, reads)
    assert here.memory == memory
    assert here.after(12 * HOUR).job_safe is False


def test_a_rotation_paused_from_the_start_promises_nothing() -> None:
    """It has never published anything."""
    report = site(enabled=False).cycle()
    assert (report.job_safe, report.safe_until) == (False, None)


def test_a_paused_target_is_not_touched() -> None:
    """It is neither read nor written, and the others do not wait for it."""
    paused, good = Place("paused", enabled=False), Place("good")
    here = site(targets=[paused, good])
    report = here.cycle()
    assert (paused.reads, paused.text) == (0, None)
    assert (target(report, "paused").outcome, report.outcome) == ("paused", "rotated")
    assert report.job_safe


# Dry run


def dry(here: Site) -> None:
    """Run a dry cycle and check that nothing was changed."""
    before = here.journal.text, here.place.version
    here.cycle(force=True, dry_run=True)
    assert (here.journal.text, here.place.version) == before


def test_a_dry_run_says_what_each_target_would_get() -> None:
    """It fetches and proves, and changes neither target nor journal."""
    here = site()
    report = here.cycle(force=True, dry_run=True)
    assert (here.journal.saves, here.place.version) == (0, 0)
    assert (credential(report).outcome, credential(report).proof) == ("fetched", "accepted")
    assert target(report).outcome == "planned"
    assert [(c.registry, c.why) for c in target(report).changes] == [(HOST, "missing")]


def test_a_dry_run_ends_the_leases_that_it_made() -> None:
    """And no other: what is published goes on working."""
    world = World()
    source = WorldSource(world, leased=True)
    here = site(world, sources=[source])
    here.cycle()
    dry(here)
    assert source.revoked == ["lease/2"]


def test_a_dry_run_leaves_replaced_leases_to_a_real_run() -> None:
    """It could not write down that it ended them."""
    world = World()
    source = WorldSource(world, leased=True)
    here = site(world, sources=[source])
    here.cycle()
    here.cycle(force=True)
    here.world.pass_time(2 * HOUR)
    dry(here)
    assert source.revoked == ["lease/3"]


# A start


def test_overdue_work_is_put_off_at_a_start_where_jobs_are_safe() -> None:
    """Ten thousand hosts that come back together do not ask together."""
    here = site()
    here.cycle()
    here.restart()
    report = here.after(7 * HOUR, starting=True)
    assert (here.source.fetches, credential(report).outcome) == (1, "fresh")
    assert 0 < seconds_until(report.next_at, here.world) <= 300
    here.wait_until(report.next_at)
    assert credential(here.cycle()).outcome == "fetched"


def test_a_poll_that_is_overdue_is_put_off_at_a_start_too() -> None:
    """A secret that is read each poll is one that all hosts would read at once."""
    world = World()
    here = site(world, sources=[WorldSource(world, life=None, declared=False)])
    here.cycle()
    here.restart()
    here.after(HOUR, starting=True)
    assert here.source.fetches == 1


def test_nothing_is_put_off_where_jobs_are_not_safe() -> None:
    """Neither at the first start, nor when too little of a life is left."""
    here = site()
    assert here.cycle(starting=True).outcome == "rotated"
    here.restart()
    here.after(11 * HOUR + 60, starting=True)
    assert here.source.fetches == 2


def test_a_renewal_far_ahead_is_left_where_it_is_at_a_start() -> None:
    """Only what is overdue, or would be within the wait, is moved."""
    here = site()
    here.cycle()
    drawn = here.record.credentials
    here.restart()
    here.after(60, starting=True)
    assert here.record.credentials == drawn
