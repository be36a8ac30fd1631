"""A credential that its registry knows only some time after it was issued."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.core.model import Credential, Proof, Verdict
from tests.simulation.world import World, WorldSource
from tests.support import MARKED
from tests.unit.core.builders import (
    HOST,
    HOUR,
    OTHER,
    Site,
    credential,
    login,
    seconds_until,
    site,
    target,
)
from tests.unit.core.drivers import Fixed

PATIENCE = timedelta(seconds=15)


class SlowWorld(World):
    """A world whose registries know a password `delay` seconds after it was issued."""

    delay = 3.0

    def __init__(self, delay: float) -> None:
        super().__init__()
        self.delay = delay
        self.known_at: dict[str, object] = {}

    def prove(self, login: Credential) -> Proof:
        """Reject what is not known yet."""
        password = login.password.reveal()
        known_at = self.known_at.setdefault(password, self.now + timedelta(seconds=self.delay))
        if self.now < known_at:  # type: ignore[operator]
            return Proof(Verdict.REJECTED, "401")
        return super().prove(login)


def slow(delay: float, **settings: object) -> Site:
    """Return a rotator with a source of leases on such a registry."""
    world = SlowWorld(delay)
    source = WorldSource(world, leased=True)
    return site(world, sources=[source], **settings)  # type: ignore[arg-type]


def test_one_run_waits_some_seconds() -> None:
    """One credential is taken, and published by the first run."""
    here = slow(3)
    report = here.cycle(force=True, patience=PATIENCE)
    assert here.place.password() == f"{MARKED}1"
    assert (report.outcome, here.source.fetches, here.source.revoked) == ("rotated", 1, [])
    assert here.record.pending == {}
    assert here.record.retired == ()


def test_a_run_whose_registry_falls_silent_publishes_nothing() -> None:
    """It rejected the credential a moment ago: that it can't be asked again proves nothing."""

    class SilentWorld(SlowWorld):
        def prove(self, login: Credential) -> Proof:
            """Answer the first question only."""
            asked = login.password.reveal() in self.known_at
            return Proof(Verdict.UNKNOWN, "no route") if asked else super().prove(login)

    world = SilentWorld(60)
    here = site(world, sources=[WorldSource(world, leased=True)])
    report = here.cycle(force=True, patience=PATIENCE)
    assert (here.place.text, credential(report).outcome) == (None, "pending")


def test_a_run_that_ends_before_says_so() -> None:
    """What is pending, until when, and what to type."""
    here = slow(60)
    report = here.cycle(force=True, patience=PATIENCE)
    reported = credential(report)
    assert (report.outcome, reported.outcome, reported.proof) == ("partial", "pending", "rejected")
    assert reported.failure is not None
    assert "does not accept" in reported.failure.detail
    assert "rotator run-once" in reported.failure.hint
    assert here.place.text is None
    assert report.duration_seconds < 15


def test_the_daemon_publishes_within_settle() -> None:
    """It asks after 1, 2, 4 … s, fetches nothing more, and revokes nothing."""
    here = slow(60)
    here.cycle()
    while here.place.text is None:
        here.wait_until(here.record.next_at)
        here.cycle()
    assert (here.world.now - World().now).total_seconds() <= 120
    assert here.place.password() == f"{MARKED}1"
    assert (here.source.fetches, here.source.revoked) == (1, [])
    assert here.record.retired == ()


def test_it_is_no_error_until_settle_is_over() -> None:
    """Waiting helps the credential, and the target that has nothing else to hold."""
    here = slow(10_000)
    report = here.cycle()
    while credential(report).outcome == "pending":
        failures = credential(report).failure, target(report).failure
        assert [one.permanent for one in failures if one is not None] == [False, False]
        here.wait_until(here.record.next_at)
        report = here.cycle()
    failure = credential(report).failure
    assert failure is not None
    assert failure.permanent


def test_what_was_published_stays_meanwhile() -> None:
    """A renewal that is pending takes nothing away, and is no failure of the source."""
    here = slow(60)
    here.cycle(patience=timedelta(seconds=90))
    here.world.known_at.clear()  # type: ignore[attr-defined]
    here.world.known_at[f"{MARKED}1"] = here.world.now  # type: ignore[attr-defined]
    report = here.after(7 * HOUR)
    assert credential(report).outcome == "pending"
    assert (here.place.password(), report.job_safe) == (f"{MARKED}1", True)
    assert target(report).outcome == "unchanged"
    assert here.record.source("vault").failure is None


def test_after_settle_another_is_fetched_and_the_lease_ends() -> None:
    """Its registry will not learn of it."""
    here = slow(10_000)
    here.cycle()
    while here.source.fetches == 1:
        here.wait_until(here.record.next_at)
        report = here.cycle()
    assert (here.world.now - World().now).total_seconds() >= 120
    assert here.source.revoked == ["lease/1"]
    assert credential(report).outcome == "pending"


def test_a_crash_loses_no_lease() -> None:
    """The credential is lost with the process; its lease ends when `settle` is over."""
    here = slow(60)
    here.cycle()
    assert [retired.lease.id for retired in here.record.retired] == ["lease/1"]
    here.restart()
    here.source.broken = ConnectionError()
    here.after(121)
    assert here.source.revoked == ["lease/1"]


def test_the_same_rejected_password_does_not_wait_again() -> None:
    """A password that a person stored is not issued anew at each fetch."""
    world = World()
    here = site(world, sources=[Fixed(world, login("s3cr3t-wrong"))])
    assert credential(here.cycle()).outcome == "pending"
    assert credential(here.after(121)).outcome == "rejected"
    here.restart()
    here.wait_until(here.record.source("vault").failure.retry_at)  # type: ignore[union-attr]
    assert credential(here.cycle()).outcome == "rejected"


def test_a_lease_that_another_registry_needs_is_not_ended() -> None:
    """One lease for two registries, of which one rejects."""
    world = World()
    good, bad = world.issue(OTHER, 12 * HOUR), "s3cr3t-wrong"
    source = WorldSource(world, leased=True)
    here = site(world, sources=[source], settle=timedelta(seconds=30))
    first = source.fetch(())[0]
    lease = first.lease
    answers = (
        login(bad, HOST, expires_in=12 * HOUR, lease=lease),
        login(good, OTHER, expires_in=12 * HOUR, lease=lease),
    )
    fixed = Fixed(world, *answers, declared=False)
    here.configure(sources=(fixed,))
    here.cycle()
    assert here.place.password(OTHER) == good.reveal()
    here.after(31)
    here.after(3600)
    assert fixed.revoked == []


def test_a_pending_credential_is_not_published_because_its_registry_is_silent() -> None:
    """It rejected the credential; that it can't be asked now says nothing else."""
    here = slow(600)
    here.cycle()
    here.hanging = HOST
    here.after(10)
    assert (here.place.text, here.source.fetches) == (None, 1)
    here.hanging = None
    here.after(600)
    assert here.place.password() is not None


def test_a_static_secret_that_was_changed_is_published_once_its_registry_knows_it() -> None:
    """The old one is still accepted then, and nobody says how long it will be."""
    world = SlowWorld(0)
    source = WorldSource(world, life=None)
    here = site(world, sources=[source])
    here.cycle()
    world.delay = 30
    source.static = world.issue(HOST, None)
    while here.place.password() == f"{MARKED}1":
        here.wait_until(here.record.next_at)
        here.cycle()
        assert source.fetches <= 2
    assert here.place.password() == f"{MARKED}2"


@pytest.mark.parametrize("settle", [0, 30])
def test_settle_is_a_setting(settle: int) -> None:
    """None at all: what is rejected is rejected."""
    here = slow(60, settle=timedelta(seconds=settle))
    assert credential(here.cycle()).outcome == ("pending" if settle else "rejected")


def test_a_source_that_is_read_each_poll_waits_for_what_is_pending() -> None:
    """Its next answer would be another credential, and the first would be for nothing."""
    here = slow(60, schedule={"poll": timedelta(seconds=20)})
    here.source.changes_early = True
    here.cycle()
    here.after(30)
    assert here.source.fetches == 1


def test_what_is_pending_is_asked_about_soon() -> None:
    """After 1, 2, 4 … s."""
    here = slow(60)
    here.cycle()
    for seconds in (0.5, 1, 2, 4):
        left = seconds_until(here.record.next_at, here.world)
        assert left == max(seconds, 1)
        here.after(left)


def test_a_registry_that_rejects_everything_gets_fewer_and_fewer_credentials() -> None:
    """With hours of life left, that a person has to act is a failure with its wait."""
    here = slow(0)
    here.cycle()
    here.world.delay = 1_000_000  # type: ignore[attr-defined]
    here.world.pass_time(7 * HOUR)
    while here.source.fetches < 2 or here.record.pending[HOST].tries < 9:
        here.wait_until(here.record.next_at)
        report = here.cycle()
    begin = here.world.now
    while here.world.now < begin + timedelta(hours=1):
        here.wait_until(here.record.next_at)
        report = here.cycle()
        if credential(report).outcome == "rejected":
            failure = here.record.source("vault").failure
            assert failure is not None
            assert failure.retry_at > here.world.now + timedelta(minutes=1)
    assert 3 <= here.source.fetches <= 8


@pytest.mark.parametrize("changes_early", [False, True])
def test_while_a_credential_is_pending_only_its_registry_is_asked(*, changes_early: bool) -> None:
    """What is published is overdue all the time, and its source has nothing else to give."""
    here = slow(0)
    here.source.changes_early = changes_early
    here.cycle()
    here.world.delay = 100  # type: ignore[attr-defined]
    here.after(7 * HOUR)
    waits = []
    for _ in range(6):
        waits.append(round(seconds_until(here.record.next_at, here.world)))
        here.wait_until(here.record.next_at)
        here.cycle()
    assert waits == [1, 1, 2, 4, 8, 16]
    assert here.source.fetches == 2


def test_a_credential_that_ends_sooner_is_not_fetched_again_when_its_registry_knows_it() -> None:
    """The published one stays due, as it lasts longer; its source has just been asked."""
    here = slow(0)
    here.cycle()
    here.world.delay = 1  # type: ignore[attr-defined]
    here.source.life = 2 * HOUR
    here.after(7 * HOUR)
    for _ in range(5):
        here.wait_until(here.record.next_at)
        here.cycle()
    assert here.source.fetches == 2


def test_what_was_pending_for_long_is_renewed_as_if_it_had_not_been() -> None:
    """Its life began when it was fetched, or the clock was wrong then."""
    here = slow(7 * HOUR, settle=timedelta(hours=8))
    here.cycle()
    report = here.after(7 * HOUR)
    assert credential(report).outcome == "fresh"
    assert seconds_until(report.next_at, here.world) == 1
