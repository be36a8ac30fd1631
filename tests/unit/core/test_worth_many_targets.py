"""Every target counts, however many there are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.core.errors import GoneError, Reason
from rotator.core.failure import Failure
from rotator.core.observe import Observation
from rotator.core.record import Record, TargetRecord
from rotator.core.worth import safe_until, worth_of_target
from tests.support import NOW
from tests.unit.core.builders import HOST, down, site, target
from tests.unit.core.drivers import Place

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("number", range(5))
def test_each_of_many_targets_counts(number: int) -> None:
    """One that was not written is enough for a job to fail."""
    places = [Place(f"target-{n}") for n in range(5)]
    places[number].broken = down()
    here = site(targets=places)
    report = here.cycle()
    assert not report.job_safe
    assert [place.reads for place in places] == [1] * 5
    assert target(report, f"target-{number}").outcome == "failed"
    places[number].broken = None
    assert here.after(20).job_safe


def test_a_paused_target_does_not_count() -> None:
    """Whatever is known of it."""
    places = [Place("one"), Place("two", enabled=False)]
    rotation = site(targets=places).rotation
    end = NOW + 3 * rotation.schedule.longest_job
    ends = {"one": {HOST: end}, "two": {HOST: NOW}}
    assert safe_until(rotation, Record(), ends) == end - rotation.schedule.longest_job


def test_of_a_group_that_can_not_be_listed_the_worst_member_counts() -> None:
    """Jobs run in each of its namespaces."""
    place = Place("group")
    place.is_group = True
    members = {
        f"group/{n}": TargetRecord(ends={HOST: NOW + n * HOUR}, group="group") for n in (1, 2)
    }
    observation = Observation(place, failure=Failure.of(down()))
    found = worth_of_target(
        observation, None, {HOST: "vault"}, {}, Record(targets=members), {}, NOW
    )
    assert found == {HOST: NOW + HOUR}


def test_what_is_gone_is_read_by_nobody() -> None:
    """Also where our rights are what is missing."""
    failure = Failure.of(GoneError(Reason.FORBIDDEN, "something else is there", "move it"))
    assert not failure.leaves_document
