"""A token of ECR where AWS's clock and ours differ."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rotator.config.sources import EcrSourceSettings
from rotator.core.errors import Reason, TemporaryError
from rotator.sources.ecr import build
from tests.unit.sources.ecr.endpoint import error_of, now, source

if TYPE_CHECKING:
    from tests.fakes.ecr import FakeEcr

CLOCKS = {
    # ours against theirs; by how much the end moves
    "together": (timedelta(), timedelta()),
    "half a minute ahead": (timedelta(seconds=30), timedelta()),
    "an hour ahead": (timedelta(hours=1), timedelta(hours=1)),
    "an hour behind": (-timedelta(hours=1), -timedelta(hours=1)),
}


@pytest.mark.parametrize(("off", "moved"), CLOCKS.values(), ids=CLOCKS)
def test_end_in_our_clock(fake: FakeEcr, off: timedelta, moved: timedelta) -> None:
    """Where the clocks are over a minute apart, the end is told in terms of ours."""
    settings = EcrSourceSettings(name="ecr", region="eu-west-1", endpoint_url=fake.url)
    (credential,) = build(settings, lambda: now() + off).fetch([])
    (named,) = fake.tokens.values()
    assert credential.expires_at is not None
    assert abs(credential.expires_at - named - moved) < timedelta(seconds=5)
    assert abs(credential.expires_at - credential.issued_at - fake.lifetime) < timedelta(seconds=35)


def test_token_that_is_over_says_both_times(fake: FakeEcr) -> None:
    """A token that has ended already is temporary, and its times are told for comparison."""
    fake.lifetime = -timedelta(minutes=5)
    error = error_of(source(fake))
    assert error.reason is Reason.EXPIRED
    assert isinstance(error, TemporaryError)
    assert error.detail.count("Z") == 3


def test_clock_skew_says_both_times(fake: FakeEcr) -> None:
    """A signature that is refused for its time is not called a wrong key."""
    fake.offset = timedelta(hours=2)
    error = error_of(source(fake))
    assert (type(error), error.reason) == (TemporaryError, Reason.EXPIRED)
    assert f"{now():%Y-%m-%d %H:}" in error.hint
    assert f"{fake.now():%Y-%m-%d %H:}" in error.hint
