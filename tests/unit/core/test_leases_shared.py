"""One lease for several registries: it lives while one of them needs it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tests.simulation.world import World, WorldSource
from tests.unit.core.builders import (
    HOST,
    HOUR,
    OTHER,
    Site,
    document,
    foreign,
    login,
    site,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rotator.core.model import Credential


class Document(WorldSource):
    """A source that gives a whole document: two registries with one lease."""

    spoiled = False

    def fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:
        """Return both, issued now; the second one is dead where the test has spoiled it."""
        (first,) = super().fetch(previous)
        second = login("s3cr3t-dead", OTHER) if self.spoiled else self._second()
        return [first, replace(first, registry=OTHER, password=second.password)]

    def _second(self) -> Credential:
        assert self.life is not None
        return login(self.world.issue(OTHER, self.life), OTHER)


def documents(*, spoiled: bool = False) -> tuple[Site, Document]:
    """Return a rotator that has published such a document."""
    world = World()
    source = Document(world, declared=False, leased=True)
    source.spoiled = spoiled
    here = site(world, sources=[source])
    here.cycle()
    return here, source


def test_one_lease_for_two_registries_is_ended_once_both_are_replaced() -> None:
    """And only once."""
    here, source = documents()
    here.after(7 * HOUR)
    assert source.revoked == []
    here.after(HOUR)
    here.after(HOUR)
    assert source.revoked == ["lease/1"]


def test_a_lease_is_not_ended_while_another_registry_needs_it() -> None:
    """A better credential for one of the two came from another rotator."""
    here, source = documents()
    both = {key: found[1] for key, found in here.place.document.logins().items()}
    both[HOST] = here.world.issue(HOST, 20 * HOUR)
    here.place.put(
        document(both),
        foreign({HOST: here.world.now + timedelta(hours=20), OTHER: here.place.marked(OTHER)}),
    )
    here.after(300)
    here.after(2 * HOUR)
    assert here.place.password() == both[HOST].reveal()
    assert source.revoked == []


def test_a_rejected_part_does_not_end_the_lease_of_the_part_that_works() -> None:
    """What is published lives by it."""
    here, source = documents(spoiled=True)
    assert set(here.place.document.auths) == {HOST}
    here.after(1)
    assert source.revoked == []
