"""How long a target whose login was refused is left alone: five wrong tries can lock a role."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import LoginRejectedError, PermanentError, Reason
from tests.unit.core.builders import HOUR, Site, site, target
from tests.unit.core.drivers import Place

if TYPE_CHECKING:
    from rotator.core.record import FailureRecord

REFUSAL = LoginRejectedError("vault says 400", "write a new secret id")
MINUTE = 60.0


def refused(stamp: str | None = "1:40:7", failure: str = "unreadable") -> Site:
    """Return a rotator whose target was good, and now refuses the login."""
    here = site()
    here.place.stamp = stamp
    here.cycle()
    setattr(here.place, failure, REFUSAL)
    here.place.put("{}")
    here.after(HOUR)
    return here


def waits(here: Site) -> FailureRecord:
    """Return the trouble that the journal has with the target."""
    trouble = here.record.target("target").failure
    assert trouble is not None
    return trouble


@pytest.mark.parametrize("failure", ["unreadable", "broken"])
def test_it_is_not_offered_again_for_twenty_minutes(failure: str) -> None:
    """Cycles go on without it, say what is wrong, and don't make the wait longer."""
    here = refused(failure=failure)
    until = waits(here).retry_at
    assert timedelta(minutes=20) <= until - here.world.now <= timedelta(minutes=22)
    reads = here.place.reads
    for _ in range(19):
        reported = target(here.after(MINUTE))
        assert reported.outcome == "failed"
        assert reported.failure is not None
        assert (reported.failure.reason, reported.failure.detail) == (
            Reason.LOGIN_REJECTED,
            REFUSAL.detail,
        )
        assert reported.failure.permanent
    assert (here.place.reads, waits(here).retry_at, waits(here).count) == (reads, until, 1)
    here.place.unreadable = here.place.broken = None
    here.wait_until(until)
    assert target(here.cycle()).outcome == "written"
    assert here.record.target("target").failure is None


def test_a_new_secret_is_tried_at_once() -> None:
    """Whoever writes it does not wait."""
    here = refused()
    here.place.stamp, here.place.unreadable = "2:40:8", None
    assert target(here.after(1)).outcome == "written"


def test_whoever_asks_for_it_gets_a_try() -> None:
    """`rotator run-once` offers it again, whatever the journal says."""
    here = refused()
    here.place.unreadable = None
    assert target(here.after(1, force=True)).outcome == "written"


def test_a_wait_does_not_outlast_a_clock_that_went_back() -> None:
    """It would last for as long as the step."""
    here = refused()
    here.place.unreadable = None
    assert target(here.after(-2 * HOUR)).outcome == "written"


def test_a_login_that_nobody_can_look_at_is_offered_again() -> None:
    """Kubernetes renews its own tokens and locks nobody out."""
    here = refused(stamp=None)
    here.place.unreadable = None
    assert target(here.after(1)).outcome == "written"


def test_other_targets_do_not_wait() -> None:
    """They are published to as ever."""
    bad, good = Place("bad"), Place("good")
    here = site(targets=[bad, good])
    bad.stamp, bad.unreadable = "1:40:7", REFUSAL
    here.cycle()
    good.put(None)
    reads = bad.reads
    assert target(here.after(MINUTE), "good").outcome == "written"
    assert bad.reads == reads


def test_a_target_whose_secret_file_was_missing_is_tried_as_soon_as_it_is_there() -> None:
    """As a source is; until then it is asked at the times of any other failure."""
    here = site()
    here.place.stamp = "missing"
    here.place.unreadable = PermanentError(Reason.UNREADABLE, "no such file", "write it")
    here.cycle()
    reads = here.place.reads
    here.after(1)
    assert here.place.reads == reads
    here.place.stamp, here.place.unreadable = "there", None
    assert here.after(1).outcome == "rotated"
