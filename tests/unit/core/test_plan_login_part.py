"""The username or the password alone, for `docker login` in a job's script."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.core.model import Content
from tests.simulation.world import World, WorldSource
from tests.support import MARKED
from tests.unit.core.builders import HOST, HOUR, Site, down, foreign, site, target
from tests.unit.core.drivers import Place


def reason(here: Site, seconds: float = 0) -> tuple[str, str | None]:
    """Run a cycle; return the target's outcome and its reason."""
    reported = target(here.after(seconds))
    return reported.outcome, None if reported.failure is None else str(reported.failure.reason)


def login_part(content: Content = Content.PASSWORD, **settings: object) -> Site:
    """Return a rotator that publishes the username or the password alone."""
    return site(targets=[Place(content=content, registry=HOST)], **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "first", "second"),
    [
        (Content.USERNAME, "ci", "ci"),
        (Content.PASSWORD, f"{MARKED}1", f"{MARKED}2"),
    ],
)
def test_a_login_part_is_published_as_it_is(content: Content, first: str, second: str) -> None:
    """For `docker login` in a job's script: the text and nothing else, and its end in the mark."""
    here = login_part(content)
    report = here.cycle()
    assert here.place.text == first
    assert here.place.marked() == here.world.now + timedelta(hours=12)
    assert (report.outcome, report.job_safe) == ("rotated", True)
    assert reason(here, 300) == ("unchanged", None)
    assert reason(here, 7 * HOUR) == ("written", None)
    assert here.place.text == second
    assert here.place.marked() == here.world.now + timedelta(hours=12)


@pytest.mark.parametrize("text", ["s3cr3t-typo", "", None])
@pytest.mark.parametrize("marks", [True, False])
def test_a_login_part_that_a_person_changed_is_repaired(
    *,
    text: str | None,
    marks: bool,
) -> None:
    """The mark is ours or there can be none, so it is no other rotator's."""
    here = login_part()
    here.place.marks = marks
    here.cycle()
    here.place.put(text)
    assert reason(here, 300) == ("written", None)
    assert here.place.text == f"{MARKED}1"


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("marked", [13 * HOUR, 6 * HOUR])
def test_a_login_part_that_another_rotator_wrote_is_written_again(
    *, marked: float, hidden: bool
) -> None:
    """It can't be merged, so it has one writer: two of them write in turn, once a poll each."""
    here = login_part()
    here.place.hidden = hidden
    here.cycle()
    end = here.world.now + timedelta(seconds=marked)
    here.place.put(here.world.issue(HOST, marked).reveal(), foreign({HOST: end}))
    assert here.after(30).job_safe is False
    report = here.after(270)
    assert here.place.text == f"{MARKED}1"
    assert report.job_safe


def test_a_login_part_after_a_lost_journal_is_worth_nothing_while_its_source_is_down() -> None:
    """Nobody knows whether its registry accepts it."""
    here = login_part()
    here.cycle()
    here.lose_journal()
    here.world.valid.clear()
    here.source.broken = down()
    report = here.after(300)
    assert (report.outcome, report.job_safe, report.safe_until) == ("failed", False, None)


@pytest.mark.parametrize("text", ["s3cr3t-dead", None], ids=["rejected", "taken out"])
def test_a_login_part_of_another_rotator_that_does_not_work_is_replaced(text: str | None) -> None:
    """Whatever its mark says: a mark can outlive its value."""
    here = login_part()
    here.cycle()
    here.place.put(text, foreign({HOST: here.world.now + timedelta(days=9)}))
    assert reason(here, 300) == ("written", None)
    assert here.place.text == f"{MARKED}1"


def test_a_login_part_of_another_rotator_is_left_while_ours_is_down_and_worth_nothing() -> None:
    """No mark is believed of a value with one writer."""
    here = login_part(Content.USERNAME)
    here.source.broken = down()
    end = here.world.now + timedelta(hours=5)
    here.place.put("robot", foreign({HOST: end}))
    report = here.cycle()
    assert here.place.text == "robot"
    assert report.safe_until is None


def test_a_login_part_waits_for_something_to_publish() -> None:
    """Its source is down on the first run."""
    here = login_part()
    here.source.broken = down()
    assert reason(here) == ("held_back", "not_found")
    here.place.put("s3cr3t-theirs")
    assert reason(here, 300) == ("unchanged", None)
    assert here.place.text == "s3cr3t-theirs"


def test_a_login_part_of_a_registry_without_a_source_is_left_alone() -> None:
    """The configuration names one; until a source gives it there is nothing to say."""
    here = site(targets=[Place(content=Content.PASSWORD, registry="nobody.example.com")])
    assert here.cycle().outcome == "failed"
    assert here.place.text is None


@pytest.mark.parametrize("marks", [True, False])
def test_a_login_part_can_be_hidden(*, marks: bool) -> None:
    """What was written last is remembered by its fingerprint."""
    here = login_part()
    here.place.hidden, here.place.marks = True, marks
    here.cycle()
    assert reason(here, 300) == ("unchanged", None)
    assert reason(here, 7 * HOUR) == ("written", None)
    assert here.place.text == f"{MARKED}2"


def test_a_hidden_part_whose_write_failed_is_tried_again() -> None:
    """What was only planned is not taken for what is there."""
    here = login_part()
    here.place.hidden, here.place.marks = True, False
    here.place.put("a person's")
    here.place.broken = down()
    assert reason(here) == ("failed", "unreachable")
    here.place.broken = None
    assert reason(here, 300) == ("written", None)
    assert here.place.text == f"{MARKED}1"


@pytest.mark.parametrize(("theirs", "outcome"), [(13, "unchanged"), (11, "written")])
def test_the_username_of_two_leases_has_the_later_end(theirs: int, outcome: str) -> None:
    """Two rotators have a lease each: with the end of its own, they would write for ever."""
    world = World()
    here = site(
        world,
        sources=[WorldSource(world, leased=True)],
        targets=[Place(content=Content.USERNAME, registry=HOST)],
    )
    here.cycle()
    here.place.put("ci", foreign({HOST: here.world.now + timedelta(hours=theirs)}))
    assert reason(here, HOUR) == (outcome, None)
