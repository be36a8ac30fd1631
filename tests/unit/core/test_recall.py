"""What is published is the state: what a person broke is repaired, what is gone is healed."""

from __future__ import annotations

import pytest

from rotator.core.model import Merge
from tests.support import MARKED
from tests.unit.core.builders import HOST, HOUR, OTHER, credential, document, site, target
from tests.unit.core.drivers import Place

# A person


@pytest.mark.parametrize("edit", ["s3cr3t-typo", None])
def test_what_a_person_changed_is_repaired(edit: str | None) -> None:
    """An entry that was edited or taken out comes back without a fetch."""
    here = site()
    here.cycle()
    mine = here.place.password()
    here.place.put(document({HOST: edit} if edit else {}))
    reported = target(here.after(300))
    assert here.place.password() == mine
    assert here.source.fetches == 1
    assert reported.outcome == "written"
    assert [change.why for change in reported.changes] == ["rejected" if edit else "missing"]


def test_a_persons_entry_that_works_is_repaired_too() -> None:
    """Nobody knows when it ends, and ours is in hand."""
    here = site()
    here.cycle()
    mine = here.place.password()
    here.place.put(document({HOST: here.world.issue(HOST, HOUR)}))
    reported = target(here.after(300))
    assert here.place.password() == mine
    assert [change.why for change in reported.changes] == ["edited"]


def test_the_end_of_our_entry_is_not_believed_of_what_a_person_put_in_its_place() -> None:
    """After a restart, too: the mark is ours and the content is not, so it tells nothing."""
    here = site()
    here.cycle()
    here.place.put(document({HOST: here.world.issue(HOST, 600)}))
    here.restart()
    report = here.after(300)
    assert here.source.fetches == 2
    assert here.place.password() == f"{MARKED}3"
    assert report.job_safe


def test_what_a_person_added_stays_through_a_repair() -> None:
    """Only our own registries are ours."""
    here = site()
    here.cycle()
    here.place.put(document({HOST: "s3cr3t-typo", OTHER: "s3cr3t-added"}))
    here.after(300)
    assert here.place.password(OTHER) == "s3cr3t-added"
    assert here.place.password() == f"{MARKED}1"


@pytest.mark.parametrize("text", ["", "{", '{"auths": {"registry.exa', "[]", '{"auths": 7}'])
def test_a_document_of_ours_that_nobody_can_read_is_repaired(text: str) -> None:
    """The journal says that we wrote it, so nothing of anybody else's is known to be lost."""
    here = site()
    here.cycle()
    here.place.put(text)
    report = here.after(300)
    assert here.place.password() == f"{MARKED}1"
    assert (here.source.fetches, report.outcome) == (1, "rotated")


def test_an_empty_document_of_somebody_else_is_filled() -> None:
    """It holds nothing that could be lost."""
    here = site()
    here.place.put("")
    assert here.cycle().outcome == "rotated"
    assert here.place.password() == f"{MARKED}1"


@pytest.mark.parametrize("text", ["{", '{"auths": {"registry.exa', "[]", '{"auths": 7}'])
def test_somebody_elses_document_that_nobody_can_read_is_refused_and_said(text: str) -> None:
    """What it held is not ours to throw away."""
    here = site()
    here.place.put(text)
    report = here.cycle()
    reported = target(report)
    assert (here.place.text, here.place.writes) == (text, [])
    assert (reported.outcome, report.job_safe) == ("failed", False)
    assert reported.failure is not None
    assert reported.failure.reason == "malformed"
    assert reported.failure.hint


def test_merge_replace_takes_over_a_document_that_nobody_can_read() -> None:
    """Whoever configures that wants nothing of it."""
    here = site(targets=[Place(merge=Merge.REPLACE)])
    here.place.put("{")
    assert here.cycle().outcome == "rotated"
    assert here.place.password() == f"{MARKED}1"


def test_an_unreadable_document_waits_until_something_can_be_published() -> None:
    """Ours is damaged, and there is nothing in hand to mend it with."""
    here = site()
    here.cycle()
    here.place.put("{")
    here.restart()
    here.source.broken = ConnectionError()
    assert here.after(300).outcome == "failed"
    assert here.place.text == "{"
    here.source.broken = None
    assert here.after(300).outcome == "rotated"


# A restart


def test_a_restart_fetches_nothing() -> None:
    """What is published is what is in hand."""
    here = site()
    here.cycle()
    here.restart()
    report = here.after(300)
    assert (report.outcome, here.source.fetches) == ("fresh", 1)
    assert credential(report).expires_at == here.place.marked()


@pytest.mark.parametrize("restarted", [False, True])
def test_a_deleted_target_heals_from_a_sibling(*, restarted: bool) -> None:
    """From memory or, after a restart, from a target that still holds the entry."""
    places = [Place("one"), Place("two")]
    here = site(targets=places)
    here.cycle()
    places[0].text, places[0].mark = None, None
    if restarted:
        here.restart()
    report = here.after(300)
    assert places[0].password() == places[1].password() == f"{MARKED}1"
    assert places[0].marked() == places[1].marked()
    assert (here.source.fetches, len(places[1].writes)) == (1, 1)
    assert target(report, "one").outcome == "written"


def test_a_deleted_target_without_a_sibling_heals_by_a_fetch() -> None:
    """After a restart there is nothing in hand."""
    here = site()
    here.cycle()
    here.place.text = here.place.mark = None
    here.restart()
    assert here.after(300).outcome == "rotated"
    assert here.source.fetches == 2


def test_a_lost_journal_costs_one_renewal_at_most() -> None:
    """Our own entry looks like another rotator's: it is adopted, and jobs stay safe."""
    here = site()
    here.cycle()
    here.lose_journal()
    report = here.after(300)
    assert (report.outcome, report.job_safe) == ("fresh", True)
    assert here.source.fetches == 1
    report = here.after(7 * HOUR)
    assert (report.outcome, here.source.fetches) == ("rotated", 2)


def test_a_lost_journal_without_a_mark_costs_one_fetch() -> None:
    """Nobody knows any more when the entry ends."""
    here = site()
    here.place.marks = False
    here.cycle()
    here.lose_journal()
    assert credential(here.after(300)).outcome == "fetched"
    assert here.source.fetches == 2


def test_the_journal_knows_an_end_that_a_target_can_not_hold() -> None:
    """A target without marks needs no fetch at a restart."""
    here = site()
    here.place.marks = False
    here.cycle()
    here.restart()
    report = here.after(300)
    assert (report.outcome, report.job_safe, here.source.fetches) == ("fresh", True, 1)


def test_what_ended_while_we_were_away_is_fetched() -> None:
    """And not shown to its registry any more: everybody knows what it would say."""
    here = site()
    here.cycle()
    here.restart()
    proofs = here.world.proofs
    assert here.after(13 * HOUR).outcome == "rotated"
    assert here.world.proofs == proofs + 1
