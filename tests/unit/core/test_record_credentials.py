"""When a credential that was found published is renewed."""

from __future__ import annotations

from datetime import timedelta

from tests.simulation.world import World, WorldSource
from tests.unit.core.builders import (
    HOST,
    HOUR,
    document,
    down,
    foreign,
    site,
)


def test_what_is_found_published_too_short_is_renewed_at_once() -> None:
    """It is not job-safe, and our source may give more."""
    here = site()
    password = here.world.issue(HOST, 1800)
    here.place.put(
        document({HOST: password}), foreign({HOST: here.world.now + timedelta(minutes=30)})
    )
    assert here.cycle().job_safe is False
    report = here.after(1)
    assert (here.source.fetches, report.job_safe) == (1, True)


def test_what_is_found_that_lasts_as_long_as_ours_is_renewed_in_its_time() -> None:
    """Our source gives nothing better."""
    here = site()
    here.cycle()
    here.world.valid.clear()
    password = here.world.issue(HOST, 13 * HOUR)
    here.place.put(
        document({HOST: password}), foreign({HOST: here.world.now + timedelta(hours=13)})
    )
    here.cycle()
    (newest, *_) = here.record.credentials[HOST]
    assert newest.foreign
    assert newest.renew_at is not None
    assert newest.renew_at > here.world.now + timedelta(hours=1)
    here.after(60)
    assert here.record.credentials[HOST][0].renew_at == newest.renew_at


def test_a_source_that_gives_too_little_is_not_asked_at_once() -> None:
    """Its credentials never last for the longest job, so another one is no better."""
    here = site(schedule={"longest_job": timedelta(hours=20)})
    here.cycle()
    password = here.world.issue(HOST, 11 * HOUR)
    here.source.broken = down()
    here.world.valid = {
        key: end for key, end in here.world.valid.items() if key[1] == password.reveal()
    }
    here.place.put(
        document({HOST: password}), foreign({HOST: here.world.now + timedelta(hours=11)})
    )
    here.after(60)
    (newest, *_) = here.record.credentials[HOST]
    assert newest.foreign
    assert newest.renew_at is not None
    assert newest.renew_at > here.world.now + timedelta(minutes=30)


def test_what_is_found_without_an_end_has_no_time_of_renewal() -> None:
    """It is asked for again each poll, as what its source gives may change."""
    world = World()
    here = site(world, sources=[WorldSource(world, life=None)])
    here.source.broken = down()
    here.place.put(document({HOST: world.issue(HOST, None)}), foreign({HOST: None}))
    assert here.cycle().job_safe
    (newest,) = here.record.credentials[HOST]
    assert (newest.foreign, newest.renew_at) == (True, None)
