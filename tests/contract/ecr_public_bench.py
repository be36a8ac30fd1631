"""The `ecr_public` source on the suite's bench, against our ECR endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.ecr_bench import EcrPublicBench
from tests.fakes.ecr import FakeEcr, key_in_environment

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[EcrPublicBench]:
    """Return a fresh endpoint, and an environment that holds its key alone."""
    with FakeEcr() as fake, pytest.MonkeyPatch.context() as patch:
        key_in_environment(patch)
        yield EcrPublicBench(fake, patch)
