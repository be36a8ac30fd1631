"""A registry on loopback, and another server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.registry.stand_in import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Return a registry on loopback."""
    with Registry() as made:
        yield made


@pytest.fixture
def other() -> Iterator[Registry]:
    """Return another server on loopback."""
    with Registry() as made:
        yield made
