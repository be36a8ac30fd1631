"""Writing: somebody else was faster, nothing compares, the read was stale."""

from __future__ import annotations

from datetime import timedelta

from rotator.core.errors import Reason
from tests.simulation.world import World, WorldSource
from tests.support import MARKED
from tests.unit.core.builders import (
    HOST,
    OTHER,
    Site,
    document,
    down,
    foreign,
    seconds_until,
    site,
    target,
)
from tests.unit.core.drivers import Place


def meanwhile(here: Site, **passwords: str) -> None:
    """Let somebody write these passwords, and all that is there, between our read and our write."""
    place = here.place
    there = {key: login[1] for key, login in place.document.logins().items()} if place.text else {}
    added = {f"{name}.example.com": password for name, password in passwords.items()}
    place.put(document({**there, **added}))


def test_what_somebody_wrote_since_the_read_is_not_lost() -> None:
    """The target says that it changed; it is read and merged again."""
    here = site()
    here.place.meanwhile = lambda: meanwhile(here, other="s3cr3t-theirs")
    report = here.cycle()
    assert report.outcome == "rotated"
    assert set(here.place.document.logins()) == {HOST, OTHER}
    assert (here.place.reads, len(here.place.writes)) == (2, 1)


def test_what_was_written_after_a_conflict_is_known_as_ours() -> None:
    """It is another document than the one that was claimed before the write."""
    here = site()
    here.place.meanwhile = lambda: meanwhile(here, other="s3cr3t-theirs")
    here.cycle()
    here.place.put("{")
    assert here.after(300).outcome == "rotated"


def test_a_conflict_that_leaves_nothing_to_do_is_no_failure() -> None:
    """Another rotator put our credential's better there meanwhile."""
    here = site()
    password = here.world.issue(HOST, 90000).reveal()

    def faster() -> None:
        end = here.world.now + timedelta(days=1)
        here.place.put(document({HOST: password}), foreign({HOST: end}))

    here.place.meanwhile = faster
    report = here.cycle()
    assert here.place.password() == password
    assert (target(report).outcome, target(report).failure) == ("unchanged", None)


def test_a_target_that_is_always_changing_is_given_up_after_five_tries() -> None:
    """Until the next cycle; it holds what others wrote."""
    here = site()
    tries = 0

    def faster() -> None:
        nonlocal tries
        tries += 1
        here.place.meanwhile = faster
        meanwhile(here, other=f"s3cr3t-{tries}")

    here.place.meanwhile = faster
    report = here.cycle()
    problem = target(report).failure
    assert problem is not None
    assert (target(report).outcome, problem.reason) == ("failed", Reason.CONFLICT)
    assert tries == 5
    assert report.job_safe is False
    assert here.place.password(OTHER) == "s3cr3t-5"
    here.place.meanwhile = None
    here.wait_until(report.next_at)
    assert here.cycle().outcome == "rotated"


# Nothing compares


def blind() -> Site:
    """Return a rotator on a target without compare-and-set, as a GitLab variable is."""
    here = site()
    here.place.compares = False
    return here


def test_where_nothing_compares_it_is_read_again_just_before_the_write() -> None:
    """Another rotator was seen there, and wrote while we fetched."""
    here = blind()
    here.place.put(document({OTHER: "s3cr3t-a"}), foreign({OTHER: None}))

    def faster() -> None:
        here.place.put(document({OTHER: "s3cr3t-b"}), foreign({OTHER: None}))

    here.place.after_read = faster
    here.cycle()
    assert here.place.password(OTHER) == "s3cr3t-b"
    assert here.place.password() == f"{MARKED}1"


def test_where_nothing_compares_a_second_look_may_find_nothing_to_do() -> None:
    """The other rotator published a better credential meanwhile."""
    here = blind()
    here.place.put(document({}), foreign({}))
    better = here.world.issue(HOST, 90000)
    end = here.world.now + timedelta(days=1)

    def faster() -> None:
        here.place.put(document({HOST: better}), foreign({HOST: end}))

    here.place.after_read = faster
    here.cycle()
    assert here.place.writes == []
    assert here.place.password() == better.reveal()


def test_what_a_person_edits_between_read_and_write_is_not_another_rotators() -> None:
    """The mark there still gives the end of the entry that was edited."""
    world = World()
    sources = [WorldSource(world, name=name, registry=name) for name in (HOST, OTHER)]
    here = site(world, sources=sources)
    here.place.compares = False
    here.cycle()
    mark = foreign({HOST: world.now + timedelta(hours=13), OTHER: world.now})
    here.place.put(document({HOST: world.issue(HOST, 46800), OTHER: "s3cr3t-dead"}), mark)
    edited = document({HOST: "s3cr3t-edited", OTHER: "s3cr3t-dead"})
    here.place.after_read = lambda: here.place.put(edited, mark)
    assert here.after(60).job_safe
    assert world.accepts(HOST, here.place.password() or "")


def test_what_is_lost_where_nothing_compares_returns_within_poll() -> None:
    """Several writers are tolerated there."""
    here = blind()
    here.cycle()
    here.place.put(document({OTHER: "s3cr3t-theirs"}), foreign({OTHER: None}))
    here.after(300)
    assert set(here.place.document.logins()) == {HOST, OTHER}


def test_a_target_that_needs_no_write_is_read_once() -> None:
    """Whether it compares or not."""
    here = blind()
    here.cycle()
    reads = here.place.reads
    here.after(300)
    assert here.place.reads == reads + 1


# Stale reads


def stale(here: Site) -> None:
    """Write twice, then let reads answer with what was there before the second write."""
    here.cycle()
    before = here.place.text, here.place.mark
    here.after(120)
    here.cycle(force=True)
    here.place.text, here.place.mark = before


def test_a_read_that_shows_what_was_before_our_write_waits_a_minute() -> None:
    """It is not repaired over and over again, and nothing is promised that was not seen."""
    here = blind()
    stale(here)
    report = here.after(20)
    reported = target(report)
    assert (reported.outcome, len(here.place.writes)) == ("unchanged", 2)
    assert any("again in a minute" in note for note in reported.notes)
    assert 40 <= seconds_until(report.next_at, here.world) <= 45


def test_a_stale_read_promises_no_more_than_what_was_written() -> None:
    """What was fetched since then is not there yet."""
    here = blind()
    stale(here)
    promised = here.record.safe_until
    assert here.after(20, force=True).safe_until == promised


def test_what_still_looks_old_after_a_minute_is_written_again() -> None:
    """Then it was no stale read: somebody put the old document back."""
    here = blind()
    stale(here)
    here.after(20)
    report = here.after(41)
    assert target(report).outcome == "written"
    assert here.place.password() == f"{MARKED}2"


def test_a_stale_read_keeps_a_replaced_lease_alive() -> None:
    """Nobody has seen yet that the new credential is there."""
    one, two = Place("one"), Place("two")
    one.compares = False
    here = site(targets=[one, two])
    here.source.leased, here.source.revoke_after = True, timedelta(seconds=1)
    here.cycle()
    before = one.text, one.mark
    two.broken = down()
    here.after(120, force=True)
    one.text, one.mark = before
    two.broken = None
    here.after(20)
    here.after(5)
    assert two.password() == f"{MARKED}2"
    assert here.source.revoked == []
    here.after(36)
    here.after(1)
    assert here.source.revoked == ["lease/1"]


def test_where_something_compares_no_read_is_stale() -> None:
    """Somebody put the old document back, with its mark: it is repaired at once."""
    here = site()
    stale(here)
    assert target(here.after(20)).outcome == "written"
    assert here.place.password() == f"{MARKED}2"


def test_a_target_whose_clock_went_back_is_not_stale() -> None:
    """A write in the future tells nothing about how old a read is."""
    here = site()
    stale(here)
    here.world.pass_time(-600)
    assert target(here.cycle()).outcome == "written"


def test_the_document_after_a_conflict_is_the_newest_of_ours() -> None:
    """Another document was written than the one that was planned first."""
    here = site()
    here.place.meanwhile = lambda: here.place.put(document({OTHER: "s3cr3t-theirs"}))
    assert target(here.cycle()).outcome == "written"
    assert here.place.mark is not None
    assert here.record.target("target").fingerprints[0] == here.place.mark.fingerprint


def test_what_nobody_else_writes_is_read_once() -> None:
    """A second read costs a call, and closes no gap."""
    here = site()
    here.place.compares = False
    here.cycle()
    assert here.place.reads == 1


def test_what_was_read_long_ago_is_read_again_before_a_write() -> None:
    """A slow source makes the gap long, where nothing on the other side compares."""
    here = site()
    here.place.compares = False
    fetch = here.source.fetch

    def slow(previous: object) -> object:
        here.world.pass_time(3)
        return fetch(previous)  # type: ignore[arg-type]

    here.source.fetch = slow  # type: ignore[method-assign, assignment]
    here.cycle()
    assert here.place.reads == 2


def test_what_belongs_to_the_document_is_brought_in_order_when_it_stays() -> None:
    """Such as the accounts that name a Secret."""
    here = site()
    here.place.completes = True
    here.cycle()
    assert here.place.completed == 0
    here.after(300)
    assert here.place.completed == 1
