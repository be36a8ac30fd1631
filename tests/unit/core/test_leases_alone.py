"""The rules of a lease's end, on their own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import structs

from rotator.core.in_use import InUse
from rotator.core.leases import retire
from rotator.core.model import Lease
from rotator.core.record import KnownCredential, Record, RetiredLease
from rotator.core.rotation import At, Rotation
from tests.simulation.world import World, WorldSource
from tests.support import NOW
from tests.unit.core.builders import HOST, OTHER

HOUR = timedelta(hours=1)
LEASE = Lease("lease/1", NOW + 12 * HOUR, renewable=True)
ROTATION = Rotation("dind", (WorldSource(World()),), ())
AT = At(NOW, lambda: 0.5)


def known(name: str, lease: Lease | None = None) -> KnownCredential:
    """Return a credential of the journal."""
    return KnownCredential(name, "vault", NOW, NOW + 12 * HOUR, NOW + 6 * HOUR, lease)


def in_use(*replaced: str, held: str = "") -> InUse:
    """Return that these registries' credentials were replaced, and what was held until now."""
    return InUse(
        replaced=frozenset(replaced),
        published=frozenset(),
        held_until_now=frozenset({held} - {""}),
        others_wrote=False,
        sure_at=None,
    )


def test_a_lease_of_two_registries_stays_while_one_of_them_uses_it() -> None:
    """The other's credential was replaced in every target."""
    record = Record(
        credentials={HOST: (known("new"), known("old", LEASE)), OTHER: (known("two", LEASE),)}
    )
    after = retire(record, ROTATION, in_use(HOST), {"new", "two"}, AT)
    assert after.retired == ()
    after = retire(after, ROTATION, in_use(HOST, OTHER), {"new"}, AT)
    assert [one.lease for one in after.retired] == [LEASE]


def test_the_wait_begins_when_nothing_holds_the_credential_any_more() -> None:
    """This cycle still found it, and replaced it."""
    retired = RetiredLease("vault", LEASE, NOW + timedelta(seconds=1), ("old",))
    for held, wait in [("old", HOUR), ("another", timedelta(seconds=1))]:
        after = retire(Record(retired=(retired,)), ROTATION, in_use(held=held), (), AT)
        assert [one.revoke_at - NOW for one in after.retired] == [wait]


@pytest.mark.parametrize(("longest_job", "wait"), [(3 * HOUR, 3 * HOUR), (HOUR / 2, HOUR * 3 / 4)])
def test_the_wait_follows_longer_jobs(longest_job: timedelta, wait: timedelta) -> None:
    """Those that a reload makes longer run already. None takes longer than a reload says."""
    record = Record(credentials={HOST: (known("new"), known("old", LEASE))})
    record = retire(record, ROTATION, in_use(HOST), {"new"}, AT)
    schedule = structs.replace(ROTATION.schedule, longest_job=longest_job)
    reloaded = structs.replace(ROTATION, schedule=schedule)
    later = At(NOW + HOUR / 4, lambda: 0.5)
    after = retire(record, reloaded, in_use(HOST), {"new"}, later)
    assert [one.revoke_at - NOW for one in after.retired] == [wait]
