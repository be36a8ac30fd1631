"""Leases: lengthened, and ended once no job needs them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from rotator.core.errors import DriverError, LoginRejectedError
from tests.simulation.world import WorldSource, refused
from tests.support import MARKED
from tests.unit.core.builders import HOST, HOUR, credential, down, seconds_until, site, target
from tests.unit.core.drivers import Place, Renewing
from tests.unit.core.leased import leased

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rotator.core.model import Credential, Lease


class Stubborn(WorldSource):
    """A source that refuses to end a lease, as the test says."""

    refusal: Exception | None = None

    def revoke(self, lease: Lease) -> None:
        """Note the wish, and refuse it."""
        super().revoke(lease)
        if self.refusal is not None:
            raise self.refusal


def test_a_lease_that_is_lengthened_keeps_its_password() -> None:
    """Only the mark is written again, with the later end."""
    here = leased(source=Renewing)
    password = here.place.password()
    report = here.after(7 * HOUR)
    assert here.source.fetches == 2
    assert here.place.password() == password
    assert here.place.marked() == here.world.now + timedelta(hours=12)
    assert (target(report).outcome, target(report).changes) == ("written", ())
    assert here.source.revoked == []
    assert here.after(HOUR).outcome == "fresh"
    assert here.record.retired == ()


def test_a_source_gets_the_credentials_in_use() -> None:
    """With the lease, also after a restart: the journal has kept it."""
    here = leased()
    here.restart()
    here.after(7 * HOUR)
    (previous,) = here.source.previous
    assert previous.lease is not None
    assert previous.lease.id == "lease/1"
    assert previous.password.reveal() == f"{MARKED}1"


@pytest.mark.parametrize(
    ("revoke_after", "wait"),
    [(None, HOUR), (600, 600)],
    ids=["after the longest job", "as configured"],
)
def test_a_replaced_lease_is_ended_once_no_job_needs_it(
    revoke_after: float | None, wait: float
) -> None:
    """Jobs that started with the old credential go on for so long."""
    here = leased(revoke_after=revoke_after)
    here.after(7 * HOUR)
    here.after(wait - 1)
    assert here.source.revoked == []
    here.after(1)
    assert here.source.revoked == ["lease/1"]
    here.after(600)
    assert here.source.revoked == ["lease/1"]


def test_a_replaced_lease_is_ended_after_a_restart() -> None:
    """The journal remembers it."""
    here = leased()
    here.after(7 * HOUR)
    here.restart()
    here.after(HOUR)
    assert here.source.revoked == ["lease/1"]


def test_a_lease_that_ended_by_itself_is_forgotten() -> None:
    """There is nothing left to end."""
    here = leased(revoke_after=24 * HOUR)
    here.after(7 * HOUR)
    here.after(6 * HOUR)
    assert "lease/1" not in [retired.lease.id for retired in here.record.retired]
    assert here.source.revoked == []


def test_the_next_cycle_begins_when_a_lease_may_end() -> None:
    """No later than that, and not again once it is done."""
    here = leased(revoke_after=100)
    report = here.after(7 * HOUR)
    assert seconds_until(report.next_at, here.world) == 100
    here.wait_until(report.next_at)
    assert seconds_until(here.cycle().next_at, here.world) > 250


@pytest.mark.parametrize(
    "refusal", [refused("403 at sys/leases/revoke"), LoginRejectedError("", "")]
)
def test_a_refusal_to_end_a_lease_is_said_once(refusal: DriverError) -> None:
    """The lease ends by itself; nobody needs to hear of it every five minutes."""
    here = leased(source=Stubborn)
    here.source.refusal = refusal  # type: ignore[attr-defined]
    here.after(7 * HOUR)
    report = here.after(HOUR)
    assert [note for note in report.notes if refusal.detail in note and "lease" in note]
    assert report.outcome == "fresh"
    assert here.after(600).notes == ()
    assert here.source.revoked == ["lease/1"]


def test_a_lease_that_could_not_be_ended_just_now_is_tried_again() -> None:
    """Once a poll, until it works."""
    here = leased(source=Stubborn)
    here.source.refusal = down()  # type: ignore[attr-defined]
    here.after(7 * HOUR)
    here.after(HOUR)
    here.after(60)
    assert here.source.revoked == ["lease/1"]
    here.source.refusal = None  # type: ignore[attr-defined]
    here.after(240)
    here.after(600)
    assert here.source.revoked == ["lease/1", "lease/1"]


def test_the_lease_of_a_source_that_was_renamed_does_not_keep_the_daemon_busy() -> None:
    """Nobody can end it any more, so nobody has to wake up for it."""
    here = leased()
    here.configure(sources=(WorldSource(here.world, name="renamed", leased=True),))
    here.after(7 * HOUR)
    report = here.after(2 * HOUR)
    assert credential(report).source == "renamed"
    assert seconds_until(report.next_at, here.world) >= 250


def test_another_rotators_lease_is_not_ours_to_end() -> None:
    """Adopting and replacing it ends nothing."""
    one = leased()
    two = site(one.world, sources=[WorldSource(one.world, leased=True)], targets=[one.place])
    two.journal.key = "two"
    two.after(60)
    two.after(11 * HOUR)
    two.after(2 * HOUR)
    assert two.source.fetches == 1
    assert two.source.revoked == []
    assert two.record.known(HOST, two.record.credentials[HOST][0].fingerprint)


class Capped(Renewing):
    """A source whose leases can't be lengthened any more: they end a moment sooner each time."""

    def fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:
        """Return what is in hand, rounded down."""
        if not previous:
            return super().fetch(previous)
        self.fetches += 1
        (there,) = previous
        assert there.lease is not None
        assert there.expires_at is not None
        end = there.expires_at - timedelta(seconds=1)
        return [replace(there, expires_at=end, lease=replace(there.lease, expires_at=end))]


def test_the_lease_of_what_is_published_is_never_ended() -> None:
    """It came back with an end that is a second sooner; it is still the one that jobs use."""
    here = leased(source=Capped)
    for _ in range(4):
        here.after(2 * HOUR)
    assert here.source.fetches > 1
    assert here.place.password() == f"{MARKED}1"
    assert here.source.revoked == []


def test_every_lease_that_was_replaced_is_ended_however_long_a_target_was_away() -> None:
    """None is forgotten, so that a server is not left with them."""
    late = Place("late")
    here = leased(Place("early"), late, revoke_after=60)
    late.broken = down()
    for _ in range(8):
        here.after(60, force=True)
    late.broken = None
    here.after(60)
    here.after(60)
    assert sorted(here.source.revoked) == [f"lease/{n}" for n in range(1, 9)]


def test_a_clock_that_went_back_does_not_keep_a_lease_for_longer() -> None:
    """Its wait is counted anew from the time that is right."""
    here = leased()
    here.world.pass_time(HOUR)
    here.cycle(force=True)
    here.world.pass_time(-24 * HOUR)
    here.cycle()
    here.after(HOUR)
    assert "lease/1" in here.source.revoked


def test_a_dry_run_does_not_end_the_lease_that_it_lengthened() -> None:
    """It is that of the credential in use."""
    here = leased(source=Renewing)
    here.after(7 * HOUR, dry_run=True)
    assert here.source.fetches == 2
    assert here.source.revoked == []
