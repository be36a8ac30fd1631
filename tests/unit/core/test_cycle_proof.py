"""Proven: nothing that its registry rejects is published, and what it rejects is due at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.core.errors import Reason
from rotator.core.model import Lease, ProofMode
from tests.simulation.world import World, WorldSource, refused
from tests.support import MARKED
from tests.unit.core.builders import (
    HOST,
    HOUR,
    OTHER,
    Site,
    credential,
    document,
    foreign,
    login,
    seconds_until,
    site,
    target,
)
from tests.unit.core.drivers import Fixed, Place, Renewing

AT_ONCE = timedelta(0)
"""A registry that knows a credential at once has no time to learn of it."""


def dead(world: World) -> Fixed:
    """Return a source that gives what its registry rejects, with a lease."""
    lease = Lease("lease/dead", world.now + timedelta(hours=12), renewable=True)
    return Fixed(world, login("s3cr3t-dead", expires_in=12 * HOUR, lease=lease))


def test_what_is_known_is_proven_once_a_cycle() -> None:
    """However many targets hold it."""
    here = site(targets=[Place("one"), Place("two")])
    here.cycle()
    proofs = here.world.proofs
    here.after(300)
    assert here.world.proofs == proofs + 1


def test_what_is_known_and_rejected_is_due_now() -> None:
    """Whatever its expiry says: somebody revoked it."""
    here = site()
    here.cycle()
    here.world.valid.clear()
    report = here.after(300)
    assert credential(report).outcome == "fetched"
    assert here.place.password() == f"{MARKED}2"
    assert [change.why for change in target(report).changes] == ["rejected"]
    assert report.job_safe


def test_a_rejected_entry_that_can_not_be_replaced_stays_and_is_said() -> None:
    """Its source is down, so the entry stays; nobody is told that it works."""
    here = site()
    here.cycle()
    here.world.valid.clear()
    here.source.broken = refused()
    report = here.after(300)
    assert here.place.password() == f"{MARKED}1"
    assert (report.outcome, report.job_safe, report.safe_until) == ("failed", False, None)
    assert credential(report).outcome == "failed"


@pytest.mark.parametrize("mode", [ProofMode.LENIENT, ProofMode.STRICT])
def test_a_fetched_credential_that_is_rejected_is_not_published(mode: ProofMode) -> None:
    """What was published before stays, and the report says who rejects what."""
    world = World()
    here = site(world, proof=mode, settle=AT_ONCE)
    here.cycle()
    here.configure(sources=(dead(world),))
    report = here.after(7 * HOUR)
    assert here.place.password() == f"{MARKED}1"
    reported = credential(report)
    assert (reported.outcome, reported.proof) == ("rejected", "rejected")
    assert reported.failure is not None
    assert reported.failure.reason is Reason.REJECTED
    assert HOST in reported.failure.detail


def test_a_source_that_gives_what_is_rejected_is_backed_off_from() -> None:
    """Else each poll would take a credential that nobody can use."""
    world = World()
    source = dead(world)
    here = site(world, sources=[source], settle=AT_ONCE)
    here.cycle()
    first = here.record.source("vault").failure
    assert first is not None
    assert first.reason == "rejected"
    here.cycle()
    assert source.fetches == 1
    here.wait_until(first.retry_at)
    here.cycle()
    again = here.record.source("vault").failure
    assert again is not None
    assert (source.fetches, again.count) == (2, 2)


@pytest.mark.parametrize("mode", [ProofMode.LENIENT, ProofMode.STRICT])
def test_a_renewal_that_was_refused_is_said_until_it_succeeds(mode: ProofMode) -> None:
    """What is in hand goes on working; that is no reason to call it fresh and to ask in hours."""
    world = World()
    source = dead(world)
    here = site(world, proof=mode, settle=AT_ONCE)
    here.cycle()
    here.configure(sources=(source,))
    here.after(7 * HOUR)
    report = here.after(1)
    assert (report.outcome, credential(report).outcome) == ("failed", "kept")
    trouble = here.record.source("vault").failure
    assert trouble is not None
    assert trouble.retry_at <= world.now + timedelta(minutes=10)
    here.wait_until(trouble.retry_at)
    here.cycle()
    assert source.fetches == 2


def test_the_lease_of_what_was_rejected_is_ended_at_once() -> None:
    """Nobody will ever use it."""
    world = World()
    source = dead(world)
    here = site(world, sources=[source], settle=AT_ONCE)
    here.cycle()
    assert source.revoked == ["lease/dead"]
    assert here.record.retired == ()


def test_the_good_part_of_what_a_source_gives_is_published() -> None:
    """One registry rejects, the other one's entry is fresh."""
    world = World()
    good = login(world.issue(OTHER, HOUR), OTHER, expires_in=3 * HOUR)
    source = Fixed(world, login("s3cr3t-dead"), good, declared=False)
    here = site(world, sources=[source], settle=AT_ONCE)
    report = here.cycle()
    assert set(here.place.document.auths) == {OTHER}
    assert credential(report).outcome == "rejected"
    assert credential(report, OTHER).outcome == "fetched"
    assert (report.outcome, report.job_safe) == ("partial", False)


def test_what_a_source_gives_again_after_its_end_is_proven_again() -> None:
    """The same password with a later end is a claim that its registry has to confirm."""
    world = World()
    password = world.issue(HOST, HOUR)
    source = Fixed(world, login(password, expires_in=HOUR))
    here = site(world, sources=[source])
    here.cycle()
    world.pass_time(2 * HOUR)
    source.answers = (login(password, world=world, expires_in=12 * HOUR),)
    report = here.cycle()
    assert credential(report).outcome == "rejected"
    assert report.job_safe is False


def test_an_entry_found_before_its_registry_was_known_is_proven_as_well() -> None:
    """Where only the fetch tells which registries are ours, the first cycle promises no less."""
    here = site(sources=[WorldSource(World(), declared=False)])
    here.world = here.source.world
    ends = here.world.now + timedelta(days=1)
    here.place.put(document({HOST: "s3cr3t-dead"}), foreign({HOST: ends}))
    report = here.cycle()
    works = here.world.accepts(HOST, here.place.password() or "")
    assert works or not report.job_safe


# A registry that can't be asked


def unanswered(mode: ProofMode) -> Site:
    """Return a rotator with something published, whose registry then can't be asked."""
    here = site(proof=mode)
    here.cycle()
    here.world.unreachable.add(HOST)
    return here


def test_lenient_publishes_what_can_not_be_asked_about() -> None:
    """A proven entry stays as long as that is job-safe; then the fresh one is published."""
    here = unanswered(ProofMode.LENIENT)
    report = here.after(7 * HOUR)
    assert here.place.password() == f"{MARKED}1"
    assert (credential(report).outcome, report.job_safe) == ("kept", True)
    report = here.after(3.95 * HOUR)
    assert here.place.password() == f"{MARKED}2"
    assert (here.source.fetches, report.job_safe) == (2, True)
    assert credential(report).proof == "unknown"
    assert any("without proof" in note for note in target(report).notes)
    here.restart()
    assert here.source.revoked == []


def test_lenient_publishes_at_once_where_nothing_is_published() -> None:
    """There is nothing to keep, and a fresh credential mostly works."""
    here = site()
    here.world.unreachable.add(HOST)
    report = here.cycle()
    assert here.place.password() == f"{MARKED}1"
    assert (report.outcome, credential(report).proof) == ("rotated", "unknown")
    assert any("without proof" in note for note in target(report).notes)
    assert target(here.after(300)).notes == ()


def test_strict_publishes_only_what_its_registry_accepts() -> None:
    """What was published before stays until the registry answers."""
    here = unanswered(ProofMode.STRICT)
    report = here.after(7 * HOUR)
    assert here.place.password() == f"{MARKED}1"
    reported = credential(report)
    assert (report.outcome, reported.outcome, reported.proof) == ("failed", "kept", "unknown")
    assert reported.failure is not None
    assert reported.failure.reason is Reason.UNREACHABLE
    here.world.unreachable.clear()
    trouble = here.record.source("vault").failure
    assert trouble is not None
    here.wait_until(trouble.retry_at)
    assert here.cycle().outcome == "rotated"


def test_strict_with_nothing_published_says_that_it_failed() -> None:
    """There is nothing to keep."""
    here = site(proof=ProofMode.STRICT)
    here.world.unreachable.add(HOST)
    report = here.cycle()
    assert here.place.text is None
    assert (report.outcome, credential(report).outcome) == ("failed", "failed")


def test_strict_does_not_copy_what_was_not_accepted() -> None:
    """A sibling is healed with another rotator's entry only if the registry accepts it."""
    world = World()
    one, two = Place("one"), Place("two")
    here = site(world, targets=[one, two], proof=ProofMode.STRICT)
    ends = {HOST: world.now + timedelta(hours=12)}
    one.put(document({HOST: "s3cr3t-dead"}), foreign(ends))
    world.unreachable.add(HOST)
    here.cycle()
    assert two.text is None


def test_a_lease_that_was_lengthened_is_not_ended_because_nobody_could_be_asked() -> None:
    """It is the lease of what is published: ending it would break every job."""
    world = World()
    source = Renewing(world, leased=True)
    here = site(world, sources=[source], proof=ProofMode.STRICT)
    here.cycle()
    world.unreachable.add(HOST)
    here.after(7 * HOUR)
    assert here.place.password() == f"{MARKED}1"
    assert source.fetches == 2
    assert source.revoked == []


def test_a_proof_that_hangs_is_an_unknown_one() -> None:
    """It says how long was waited, and nothing else waits for it."""
    here = site(proof=ProofMode.STRICT)
    here.hanging = HOST
    reported = credential(here.cycle())
    assert reported.proof == "unknown"
    assert reported.failure is not None
    assert "no answer within" in reported.failure.detail


def test_without_proofs_no_registry_is_asked() -> None:
    """`prove: off` publishes what sources give, and says that nobody looked."""
    world = World()
    here = site(world, sources=[dead(world)], proof=ProofMode.OFF)
    report = here.cycle()
    here.after(300)
    assert here.place.password() == "s3cr3t-dead"
    assert (world.proofs, credential(report).proof) == (0, "skipped")


def test_a_rejected_credential_is_asked_for_again_soon() -> None:
    """With nothing that works published, a person is waiting."""
    world = World()
    here = site(world, sources=[dead(world)])
    assert 0 < seconds_until(here.cycle().next_at, world) <= 15
