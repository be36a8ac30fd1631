"""The journal: written before a fetch, before a write and at the end; failures and their waits."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.core.errors import LoginRejectedError, Reason
from tests.simulation.world import Crash, World, WorldSource, refused
from tests.support import MARKED
from tests.unit.core.builders import HOST, HOUR, OTHER, Site, credential, failing, site, trouble
from tests.unit.core.drivers import Place


def crashed(here: Site) -> None:
    """Run a cycle that the process does not survive; only the journal is left."""
    with pytest.raises(Crash):
        here.cycle()
    here.restart()


# Crashes


def test_a_crash_loop_backs_off_instead_of_taking_a_lease_at_each_restart() -> None:
    """The attempt is in the journal before the source is asked."""
    here = site()
    here.source.broken = Crash()  # type: ignore[assignment]
    crashed(here)
    assert trouble(here).count == 1
    for _ in range(10):
        here.cycle()
        here.restart()
    assert here.source.fetches == 1
    for expected in (2, 3):
        here.wait_until(trouble(here).retry_at)
        crashed(here)
        assert (here.source.fetches, trouble(here).count) == (expected, expected)


@pytest.mark.parametrize("changed", [False, True])
def test_a_crash_while_a_refused_login_is_offered_does_not_offer_it_again(*, changed: bool) -> None:
    """Five wrong AppRole secret ids lock the role; a new one is tried after a usual wait."""
    here = failing(LoginRejectedError("wrong secret id", "write a new one"), stamp="first")
    here.world.pass_time(HOUR)
    here.source.stamp = "second" if changed else "first"
    here.source.broken = Crash()  # type: ignore[assignment]
    crashed(here)
    here.source.broken = None
    here.after(19 * 60)
    assert here.source.fetches == (4 if changed else 3)


def test_what_a_crash_interrupted_is_said_and_then_forgotten() -> None:
    """A person reads that a fetch did not end; once one ends, all is well."""
    here = site()
    here.source.broken = Crash()  # type: ignore[assignment]
    crashed(here)
    problem = credential(here.cycle()).failure
    assert problem is not None
    assert problem.reason is Reason.UNAVAILABLE
    assert "did not end" in problem.detail
    here.source.broken = None
    here.wait_until(trouble(here).retry_at)
    assert here.cycle().outcome == "rotated"
    assert here.record.source("vault").failure is None


@pytest.mark.parametrize("written", [False, True])
def test_a_crash_during_a_write_does_not_make_our_entry_foreign(
    *,
    written: bool,
) -> None:
    """Whether or not the write took effect, the journal knows what it was."""
    world = World()
    here = site(world, sources=[WorldSource(world, leased=True)])

    def die() -> None:
        raise Crash

    here.place.meanwhile = None if written else die
    here.place.dies_after_write = written
    crashed(here)
    (known,) = here.record.credentials[HOST]
    assert (known.foreign, known.lease is not None) == (False, True)
    if not written:
        return
    here.after(300)
    assert (here.source.fetches, here.record.known(HOST, known.fingerprint)) == (1, known)
    here.place.put("{")
    here.after(300)
    assert here.place.password() == f"{MARKED}1"


def test_a_document_cut_off_by_our_own_crash_is_repaired() -> None:
    """The claim on it is in the journal before the first byte is written."""
    here = site()

    def cut_off() -> None:
        here.place.put('{"auths": {"regi')
        raise Crash

    here.place.meanwhile = cut_off
    crashed(here)
    here.wait_until(trouble(here).retry_at)
    assert here.cycle().outcome == "rotated"
    assert here.place.password()


def test_a_crash_between_two_targets_leaves_them_equal_in_the_end() -> None:
    """The second one gets what the first one got, without another fetch."""
    places = [Place("one"), Place("two")]
    here = site(targets=places)
    places[0].dies_after_write = True
    crashed(here)
    here.after(300)
    assert places[1].password() == places[0].password() == f"{MARKED}1"
    assert here.source.fetches == 1


def test_the_journal_is_written_at_the_end() -> None:
    """What a status page and the next life need to know."""
    here = site()
    report = here.cycle()
    record = here.record
    assert (record.outcome, record.job_safe) == ("rotated", True)
    assert (record.next_at, record.safe_until) == (report.next_at, report.safe_until)
    assert record.started_at == record.ended_at == record.succeeded_at == here.world.now
    assert record.target("target").end == here.world.now + timedelta(hours=12)


def test_a_partial_cycle_is_no_success() -> None:
    """The time of the last success stays, also over a restart."""
    world = World()
    bad = WorldSource(world, OTHER, "bad")
    here = site(world, sources=[WorldSource(world), bad])
    here.cycle()
    succeeded = here.record.succeeded_at
    bad.broken = refused()
    here.restart()
    assert here.after(7 * HOUR).outcome == "partial"
    assert here.record.succeeded_at == succeeded


def test_a_promise_that_gets_shorter_is_in_the_journal_before_the_write() -> None:
    """A crash between the two must not leave a status page that promises more than there is."""
    world = World()
    source = WorldSource(world)
    here = site(world, sources=[source])
    promised = here.cycle().safe_until
    source.life = 3 * HOUR
    here.place.dies_after_write = True
    with pytest.raises(Crash):
        here.cycle(force=True)
    assert promised is not None
    assert here.record.safe_until == world.now + timedelta(hours=2)
    source.life = HOUR / 2
    here.place.dies_after_write = True
    with pytest.raises(Crash):
        here.cycle(force=True)
    assert here.record.job_safe is False


# What a source learned


def test_what_a_source_learned_outlives_the_process() -> None:
    """It comes back with the first fetch of the next one, and a failure does not lose it."""
    here = site()
    here.source.learned = "kv2 secret"
    here.cycle()
    here.restart()
    here.source.learned = ""
    here.source.broken = refused()
    here.cycle(force=True)
    assert here.source.learned == "kv2 secret"
    assert here.record.source("vault").learned == "kv2 secret"


# What outlives a power failure


def test_only_what_is_known_before_the_first_write_has_to_be_on_the_disk() -> None:
    """The attempt before it and the end after it may be lost: both are found out again."""
    here = site()
    here.cycle()
    assert here.journal.lasting == [False, True, False]


def test_a_cycle_that_writes_and_fetches_nothing_saves_once() -> None:
    """There is nothing that its end could not tell."""
    here = site()
    here.cycle()
    here.journal.lasting.clear()
    assert here.after(300).outcome == "fresh"
    assert here.journal.lasting == [False]
