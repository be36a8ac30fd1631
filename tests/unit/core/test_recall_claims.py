"""How far another rotator's mark is believed: the end in it is a claim."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.core.model import ProofMode
from tests.support import MARKED
from tests.unit.core.builders import (
    HOST,
    HOUR,
    document,
    down,
    foreign,
    seconds_until,
    site,
)
from tests.unit.core.leased import leased


@pytest.mark.parametrize("claimed", [timedelta(hours=37), None])
def test_a_claim_is_believed_up_to_the_longest_life_here(claimed: timedelta | None) -> None:
    """A clock that was a day ahead wrote it, or it gives no end; our source's tokens have one."""
    here = site()
    here.cycle()
    started = here.record.started_at
    assert started is not None
    password = here.world.issue(HOST, 13 * HOUR)
    end = None if claimed is None else here.world.now + claimed
    here.place.put(document({HOST: password}), foreign({HOST: end}))
    report = here.after(300)
    assert here.place.password() == password.reveal()
    assert report.safe_until == started + timedelta(hours=11)


def test_a_claim_is_capped_as_soon_as_a_life_is_known() -> None:
    """It was believed before; the clock that wrote it was a day ahead."""
    here = site()
    password = here.world.issue(HOST, 13 * HOUR)
    end = here.world.now + timedelta(hours=37)
    here.place.put(document({HOST: password}), foreign({HOST: end}))
    assert here.cycle().safe_until == end - timedelta(hours=1)
    here.after(60, force=True)
    assert here.record.safe_until is not None
    report = here.after(60)
    assert report.safe_until is not None
    assert report.safe_until <= here.world.now + timedelta(hours=11)


def test_a_claim_in_which_our_belief_has_ended_is_doubted_and_not_dead() -> None:
    """Its registry accepts it, so it stays while its source is down; nothing is promised of it."""
    here = site()
    here.cycle()
    password = here.world.issue(HOST, 30 * HOUR)
    end = here.world.now + timedelta(hours=30)
    here.place.put(document({HOST: password}), foreign({HOST: end}))
    here.source.broken = down()
    here.after(60)
    report = here.after(13 * HOUR)
    assert here.place.password() == password.reveal()
    assert (report.job_safe, report.credentials[0].proof) == (False, "accepted")


def test_what_another_rotator_wrote_between_our_read_and_our_write_is_worth_its_claim() -> None:
    """Its mark counts until it is proven, no longer than our source gives."""
    here = site()
    here.cycle(force=True)
    password = here.world.issue(HOST, 90000)
    claim = here.world.now + timedelta(days=1)

    def faster() -> None:
        here.place.put(document({HOST: password}), foreign({HOST: claim}))

    here.place.meanwhile = faster
    report = here.after(60, force=True)
    assert here.place.password() == password.reveal()
    assert report.safe_until == here.world.now + timedelta(hours=11)
    assert seconds_until(report.next_at, here.world) == 1
    assert seconds_until(here.after(1).next_at, here.world) > 60


def test_what_was_noted_on_a_clock_ahead_is_noted_again() -> None:
    """Its owner believes its end, and would replace what we fetch in doubt, and we it, in turn."""
    here = site()
    here.cycle()
    here.world.now += timedelta(hours=2)
    here.cycle()
    password = here.world.issue(HOST, 13 * HOUR)
    claim = here.world.now + timedelta(hours=13)
    here.place.put(document({HOST: password}), foreign({HOST: claim}))
    here.after(60)
    here.world.now -= timedelta(hours=2)
    report = here.after(60)
    assert here.place.password() == password.reveal()
    assert report.safe_until == here.world.now + timedelta(hours=11)


def test_an_old_text_under_a_newer_mark_is_not_believed() -> None:
    """Somebody restored the data and left the annotations."""
    here = site()
    here.cycle()
    old = here.world.issue(HOST, 2 * HOUR)
    new = here.world.issue(HOST, 13 * HOUR)
    mark = foreign({HOST: here.world.now + timedelta(hours=13)})
    here.place.put(document({HOST: new}), mark)
    here.after(300)
    here.source.broken = down()
    here.restart()
    here.place.put(document({HOST: old}), mark)
    here.place.broken = down()
    assert here.after(300).job_safe is False


def test_an_edit_under_a_foreign_mark_is_not_believed_in_the_next_cycle_either() -> None:
    """Our record knows the edited entry by then; the mark is still about the one before."""
    here = site(proof=ProofMode.OFF)
    here.cycle()
    mark = foreign({HOST: here.world.now + timedelta(hours=13)})
    here.place.put(document({HOST: "s3cr3t-theirs"}), mark)
    here.after(60)
    here.place.broken = down()
    here.place.put(document({HOST: "s3cr3t-edited"}), mark)
    for _ in range(3):
        assert here.after(60).job_safe is False
    here.place.broken = None
    assert here.after(300).job_safe
    assert here.place.password() == f"{MARKED}1"


@pytest.mark.parametrize(("lengthened", "stays"), [(20, True), (1, False)])
def test_a_lease_of_ours_that_the_twin_of_a_copied_host_lengthened_is_its_own(
    lengthened: int, *, stays: bool
) -> None:
    """Both know the lease from one journal; this host has replaced it since."""
    here = leased()
    before = here.place.text
    here.after(7 * HOUR)
    end = here.world.now + timedelta(hours=lengthened)
    here.world.valid[HOST, f"{MARKED}1"] = end
    here.place.put(before, foreign({HOST: end}))
    here.after(600)
    assert here.place.password() == f"{MARKED}{1 if stays else 2}"
