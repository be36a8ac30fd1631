"""What a driver gets for free, and what it can't forget."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from rotator.core.model import Credential, Held, Lease, Mark, Policy, Secret
from rotator.core.ports import Source, Target
from tests.support import NOW
from tests.unit.core.builders import HOST
from tests.unit.core.drivers import Place

if TYPE_CHECKING:
    from collections.abc import Sequence


class Least(Source):
    """As little as a source can be."""

    def fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:
        """Give nothing."""
        return previous


class Shelf(Target):
    """As little as a target can be."""

    def read(self) -> Held:
        """Hold nothing."""
        return Held(None)

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Hold it."""
        return replace(replacing, text=text, mark=mark)


def test_a_source_needs_nothing_but_a_fetch() -> None:
    """No login to look at, no lease to end, nothing that changes early."""
    source = Least("least", frozenset({HOST}))
    assert source.name == "least"
    assert source.registries == frozenset({HOST})
    assert source.login_stamp() is None
    assert source.changes_early is False
    assert source.revoke_after is None
    assert source.token_expires_at is None
    with pytest.raises(NotImplementedError):
        source.revoke(Lease("lease/1", NOW + timedelta(hours=1), renewable=True))


def test_a_target_compares_unless_it_says_otherwise() -> None:
    """The core reads again only where a driver says that it can't compare."""
    shelf = Shelf("shelf", Policy())
    assert (shelf.name, shelf.policy, shelf.compares) == ("shelf", Policy(), True)
    assert shelf.login_stamp() is None
    assert shelf.token_expires_at is None


@pytest.mark.parametrize("port", [Source, Target])
def test_a_driver_that_forgets_a_method_is_not_built(port: type) -> None:
    """It fails when it is built, not in the night."""
    with pytest.raises(TypeError, match="abstract"):
        port("half", None)


def test_a_target_that_is_no_group_stands_for_itself() -> None:
    """Its members are the target."""
    place = Place()
    assert list(place.members()) == [place]
