"""The sources of ECR that the tests ask, at an endpoint of their own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from rotator.config.sources import EcrSourceSettings
from rotator.core.errors import DriverError
from rotator.sources.ecr import EcrSource, build

if TYPE_CHECKING:
    from tests.fakes.ecr import FakeEcr


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def source(fake: FakeEcr, **settings: Any) -> EcrSource:
    """Return the source under test, at this endpoint."""
    given = {"name": "ecr", "region": "eu-west-1", "endpoint_url": fake.url, **settings}
    return build(EcrSourceSettings(**given), now)


def error_of(made: EcrSource) -> DriverError:
    """Return what a fetch raises."""
    with pytest.raises(DriverError) as caught:
        made.fetch([])
    return caught.value
