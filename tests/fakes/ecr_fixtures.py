"""An ECR endpoint for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.ecr import FakeEcr

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def fake_ecr() -> Iterator[FakeEcr]:
    """Return an ECR endpoint with one known key."""
    with FakeEcr() as fake:
        yield fake
