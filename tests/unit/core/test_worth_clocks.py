"""What an entry is worth where a clock was wrong."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest

from rotator.core.model import Content
from tests.simulation.world import World
from tests.support import MARKED
from tests.unit.core.builders import HOST, HOUR, document, down, foreign, login, site
from tests.unit.core.drivers import Fixed, Place


@pytest.mark.parametrize("content", list(Content))
def test_what_was_fetched_by_a_clock_that_was_ahead_has_no_known_end(content: Content) -> None:
    """It may have ended long ago; where its source is down, jobs are not safe with it."""
    registry = None if content is Content.DOCKER_CONFIG else HOST
    here = site(targets=[Place(content=content, registry=registry)])
    assert here.cycle().job_safe
    here.source.broken = down()
    here.world.pass_time(-24 * HOUR)
    assert not here.cycle().job_safe
    here.restart()
    assert not here.cycle().job_safe
    here.place.unreadable = down()
    assert not here.cycle().job_safe
    here.place.unreadable = here.source.broken = None
    assert here.after(60).job_safe


def test_a_token_that_holds_its_end_is_believed_whatever_the_clock_was() -> None:
    """Its registry wrote the end into it; the source's answer was added to a clock ahead."""
    world = World()
    end = world.now + timedelta(hours=5)
    payload = base64.urlsafe_b64encode(json.dumps({"exp": end.timestamp()}).encode()).decode()
    token = f"{MARKED}h.{payload.rstrip('=')}.sig"
    world.valid[HOST, token] = end + timedelta(days=1)
    world.pass_time(24 * HOUR)
    given = login(token, world=world, expires_in=5 * HOUR)
    here = site(world, sources=[Fixed(world, given)])
    assert here.cycle().job_safe
    here.source.broken = down()
    world.pass_time(-24 * HOUR)
    assert here.cycle().safe_until == end - timedelta(hours=1)


def test_the_clock_that_goes_back_during_a_cycle_makes_its_result_doubtful() -> None:
    """It compared the ends with a time that was wrong."""
    here = site()
    here.cycle()
    here.place.after_read = lambda: here.world.pass_time(-24 * HOUR)
    report = here.after(60)
    assert (report.job_safe, report.safe_until) == (False, None)
    assert any("the clock went back" in note for note in report.notes)
    assert here.after(60).job_safe


def test_a_claim_of_the_future_is_capped_when_the_clock_goes_back() -> None:
    """It is no further ahead than a life of its source."""
    here = site()
    here.cycle()
    here.world.valid.clear()
    password = here.world.issue(HOST, 40 * HOUR)
    end = here.world.now + timedelta(hours=40)
    here.place.put(document({HOST: password}), foreign({HOST: end}))
    here.after(300)
    here.world.pass_time(-7200)
    report = here.cycle()
    assert report.safe_until is not None
    assert report.safe_until <= here.world.now + timedelta(hours=11)
