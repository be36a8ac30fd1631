"""What one target should hold: replaced documents, hidden values, marks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.core.errors import Reason
from rotator.core.model import Merge
from tests.simulation.world import World, WorldSource, refused
from tests.support import MARKED
from tests.unit.core.builders import HOST, HOUR, OTHER, Site, document, down, foreign, site, target
from tests.unit.core.drivers import Place


def reason(here: Site, seconds: float = 0) -> tuple[str, str | None]:
    """Run a cycle; return the target's outcome and its reason."""
    reported = target(here.after(seconds))
    return reported.outcome, None if reported.failure is None else str(reported.failure.reason)


# A document that is replaced


def test_merge_replace_leaves_nothing_of_anybody_else() -> None:
    """Neither entries nor other keys."""
    here = site(targets=[Place(merge=Merge.REPLACE)])
    here.place.put(document({OTHER: "s3cr3t-theirs"}, credsStore="pass"))
    reported = target(here.cycle())
    assert set(here.place.document.auths) == {HOST}
    assert here.place.document.rest == {}
    assert {(c.registry, c.why) for c in reported.changes} == {
        (HOST, "missing"),
        (OTHER, "removed"),
    }


@pytest.mark.parametrize("restarted", [False, True])
def test_merge_replace_keeps_the_entry_of_a_source_that_failed(
    *,
    restarted: bool,
) -> None:
    """Promise two: what was not refreshed is not taken out."""
    world = World()
    bad = WorldSource(world, OTHER, "bad")
    here = site(world, sources=[WorldSource(world), bad], targets=[Place(merge=Merge.REPLACE)])
    here.cycle()
    stored = here.place.password(OTHER)
    bad.broken = refused()
    if restarted:
        here.restart()
    here.after(13 * HOUR)
    assert here.place.password(OTHER) == stored
    assert here.place.password() == f"{MARKED}3"


# A hidden value


def hidden(merge: Merge = Merge.REPLACE, *, marks: bool = True) -> Site:
    """Return a rotator with two registries on a variable whose value nobody can read."""
    world = World()
    sources = [WorldSource(world), WorldSource(world, OTHER, "other")]
    here = site(world, sources=sources, targets=[Place(merge=merge)])
    here.place.hidden = True
    here.place.marks = marks
    here.place.put("a person's")
    return here


@pytest.mark.parametrize("marks", [True, False])
def test_a_hidden_value_is_composed_from_what_is_known(*, marks: bool) -> None:
    """All of it is ours, and it is written once."""
    here = hidden(marks=marks)
    report = here.cycle()
    assert set(here.place.document.logins()) == {HOST, OTHER}
    assert (report.outcome, report.job_safe) == ("rotated", True)
    assert len(target(report).changes) == 2
    assert reason(here, 300) == ("unchanged", None)
    assert len(here.place.writes) == 1
    assert reason(here, 7 * HOUR) == ("written", None)


def test_a_hidden_value_is_held_back_while_a_live_entry_of_ours_would_be_lost() -> None:
    """After a restart a source is down: its entry is only there."""
    here = hidden()
    here.cycle()
    text = here.place.text
    here.restart()
    here.rotation.sources[1].broken = down()  # type: ignore[attr-defined]
    assert reason(here, 300) == ("held_back", "immutable")
    assert here.place.text == text
    assert reason(here, 12 * HOUR) == ("written", None)
    assert set(here.place.document.logins()) == {HOST}


def test_a_hidden_value_that_is_held_back_goes_on_being_safe() -> None:
    """What is in it works until its end, which the journal knows."""
    here = hidden()
    end = here.cycle().safe_until
    here.restart()
    here.rotation.sources[1].broken = down()  # type: ignore[attr-defined]
    report = here.after(300)
    assert (report.job_safe, report.safe_until) == (True, end)


def test_a_hidden_value_is_not_merged_with_what_nobody_can_see() -> None:
    """Other entries would be lost; the report says what to do."""
    here = hidden(Merge.PRESERVE)
    report = here.cycle()
    reported = target(report)
    assert (reported.outcome, here.place.text) == ("held_back", "a person's")
    assert reported.failure is not None
    assert reported.failure.reason is Reason.IMMUTABLE
    assert "merge: replace" in reported.failure.hint
    assert reported.failure.permanent
    assert report.job_safe is False


def test_a_hidden_value_waits_for_something_to_publish() -> None:
    """Both sources are down on the first run."""
    here = hidden()
    for source in here.rotation.sources:
        source.broken = down()  # type: ignore[attr-defined]
    assert reason(here) == ("held_back", "not_found")


@pytest.mark.parametrize("marks", [True, False])
def test_a_write_of_a_hidden_value_that_failed_is_tried_again(*, marks: bool) -> None:
    """What was only planned is not taken for what is there."""
    here = hidden(marks=marks)
    here.place.broken = down()
    assert reason(here) == ("failed", "unreachable")
    here.place.broken = None
    assert reason(here, 300) == ("written", None)
    assert set(here.place.document.logins()) == {HOST, OTHER}


def test_a_hidden_value_that_somebody_else_wrote_is_written_again() -> None:
    """Nobody can read it, so no mark is believed; at most once a poll, and it is said."""
    here = hidden()
    here.cycle()
    mine, end = here.place.text, here.world.now + timedelta(hours=13)
    here.place.put("theirs", foreign({HOST: end, OTHER: end}))
    report = here.after(30)
    assert (here.place.text, report.job_safe) == ("theirs", False)
    assert any("next poll" in note for note in target(report).notes)
    report = here.after(270)
    assert (here.place.text, report.job_safe) == (mine, True)
    assert any("written again" in note for note in target(report).notes)


def test_a_hidden_value_with_a_mark_of_tomorrow_is_written_again_after_a_lost_journal() -> None:
    """A clock that was a day ahead wrote it, and its password is dead."""
    here = hidden()
    end = here.world.now + timedelta(days=1)
    here.place.put("dead", foreign({HOST: end, OTHER: end}))
    report = here.cycle()
    assert set(here.place.document.logins()) == {HOST, OTHER}
    assert report.job_safe


def test_the_lengthened_end_of_a_hidden_value_reaches_its_mark() -> None:
    """The text stays the same, so only the mark tells."""
    world = World()
    source = WorldSource(world, life=None)
    here = site(world, sources=[source], targets=[Place(merge=Merge.REPLACE)])
    here.place.hidden = True
    here.cycle()
    assert here.place.mark is not None
    sooner = {HOST: world.now + timedelta(hours=1)}
    here.place.put(here.place.text, foreign(sooner))
    here.after(300)
    assert here.place.marked() is None


# Marks


def test_a_mark_keeps_the_ends_of_others() -> None:
    """Those that are still in the document, and no others."""
    here = site()
    end = here.world.now + timedelta(hours=5)
    here.place.put(
        document({OTHER: "s3cr3t-theirs"}), foreign({OTHER: end, "gone.example.com": end})
    )
    here.cycle()
    assert here.place.mark is not None
    assert set(here.place.mark.expires) == {HOST, OTHER}
    assert here.place.marked(OTHER) == end


def test_a_mark_tells_what_never_ends() -> None:
    """With null, which is not the same as nothing."""
    world = World()
    here = site(world, sources=[WorldSource(world, life=None)])
    here.cycle()
    assert here.place.marked() is None
    assert here.place.mark is not None
    assert here.place.mark.rotation == "dind"


def test_a_mark_is_not_rewritten_to_say_the_same() -> None:
    """Neither for a tie, nor for an earlier end of the same password."""
    here = site()
    here.cycle()
    assert here.place.mark is not None
    later = {HOST: here.world.now + timedelta(hours=13)}
    here.place.put(here.place.text, foreign(later))
    version = here.place.version
    here.after(300)
    assert here.place.version == version


def test_a_host_and_a_path_on_it_are_warned_of() -> None:
    """Docker ignores the path then."""
    here = site()
    here.place.put(document({f"{HOST}/team": "s3cr3t-theirs"}))
    assert any(f"{HOST}/team" in note for note in target(here.cycle()).notes)
