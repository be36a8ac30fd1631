"""When the next cycle begins: with whatever comes first, and never in the past."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.core.errors import Reason, TemporaryError
from tests.simulation.world import World, WorldSource, refused
from tests.unit.core.builders import (
    HOST,
    HOUR,
    OTHER,
    down,
    failing,
    seconds_until,
    site,
    target,
    trouble,
)
from tests.unit.core.drivers import Place


def test_the_next_cycle_begins_within_poll() -> None:
    """Targets are looked at for drift."""
    here = site()
    assert 0.9 * 300 <= seconds_until(here.cycle().next_at, here.world) <= 300


def test_the_next_cycle_begins_with_a_renewal() -> None:
    """If that comes before the next poll."""
    here = site(schedule={"poll": timedelta(days=1)})
    report = here.cycle()
    (known,) = here.record.credentials[HOST]
    assert report.next_at == known.renew_at


def test_the_next_cycle_begins_with_a_reading_of_what_changes_early() -> None:
    """The source's own poll may come before that of the targets."""
    world = World()
    here = site(world, sources=[WorldSource(world, life=None)])
    here.cycle()
    poll_at = here.record.source("vault").poll_at
    here.world.draws = lambda: 0.0
    assert here.after(100).next_at == poll_at


def test_the_next_cycle_begins_with_a_sources_retry() -> None:
    """And not with its renewal, which is in the past."""
    here = failing(down())
    assert here.record.next_at == trouble(here).retry_at


def test_the_next_cycle_begins_with_a_targets_retry() -> None:
    """A target counts its failures, too, and forgets them when it is written."""
    here = site()
    here.place.broken = down()
    waits = []
    for count in range(1, 8):
        report = here.cycle()
        found = here.record.target("target").failure
        assert found is not None
        assert (found.count, found.retry_at) == (count, report.next_at)
        waits.append(seconds_until(report.next_at, here.world))
        here.wait_until(report.next_at)
    assert max(waits) <= 15
    here.place.broken = None
    here.cycle()
    assert here.record.target("target").failure is None


def test_a_target_with_hours_left_in_it_is_retried_less_often() -> None:
    """The old credential still works there."""
    here = site()
    here.cycle()
    here.place.broken = refused()
    report = here.after(7 * HOUR)
    assert seconds_until(report.next_at, here.world) >= 250


def test_what_never_ends_is_retried_as_what_ends_late_and_its_source_each_poll() -> None:
    """For ever is no number to take a part of."""
    world = World()
    source = WorldSource(world, life=None)
    here = site(world, sources=[source])
    here.cycle()
    here.place.unreadable = refused()
    here.after(600)
    found = here.record.target("target").failure
    assert found is not None
    assert 250 <= seconds_until(found.retry_at, here.world) <= 600
    source.broken = refused()
    here.after(600)
    assert 150 <= seconds_until(trouble(here).retry_at, here.world) <= 300


@pytest.mark.parametrize("error", [down(), refused()])
def test_a_target_that_is_paused_in_trouble_does_not_keep_the_daemon_busy(
    error: Exception,
) -> None:
    """Its wait is over, and nothing will ever be tried there."""
    here = site(targets=[Place("good"), Place("bad")])
    good, bad = here.rotation.targets
    bad.broken = error  # type: ignore[attr-defined]
    here.cycle()
    paused = Place("bad", enabled=False)
    here.configure(targets=(good, paused))
    report = here.after(HOUR)
    assert seconds_until(report.next_at, here.world) >= 250


def test_the_next_cycle_never_begins_in_the_past() -> None:
    """Nor at once: a daemon with no time between two cycles does nothing else."""
    here = site(schedule={"retry_initial": timedelta(0), "retry_max": timedelta(0)})
    here.source.broken = TemporaryError(Reason.TIMEOUT, "slow", "look")
    for _ in range(3):
        assert seconds_until(here.cycle().next_at, here.world) >= 1


def test_a_failed_write_is_tried_again_and_not_taken_for_a_success() -> None:
    """Also within a minute of a write that went well: it was no stale read, nothing was written."""
    world = World()
    late = WorldSource(world, OTHER, "late")
    late.broken = down()
    here = site(world, sources=[WorldSource(world), late])
    here.cycle()
    late.broken, here.place.broken = None, down()
    here.wait_until(trouble(here, "late").retry_at)
    assert target(here.cycle()).outcome == "failed"
    assert here.after(5).job_safe is False
    here.place.broken = None
    here.after(5)
    assert here.place.password(OTHER)
