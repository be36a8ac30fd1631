"""An ECR endpoint for the tests of the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.ecr import FakeEcr, key_in_environment

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEcr]:
    """Return an ECR endpoint whose key is in the environment."""
    key_in_environment(monkeypatch)
    with FakeEcr() as made:
        yield made
