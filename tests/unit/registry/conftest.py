"""A registry on loopback, and another server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.registry.stand_in import in_place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.registry.stand_in import Registry


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Return a registry on loopback."""
    with in_place_of() as made:
        yield made


@pytest.fixture
def other() -> Iterator[Registry]:
    """Return another server on loopback."""
    with in_place_of() as made:
        yield made
