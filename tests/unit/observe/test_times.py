"""Times as people say them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.observe.times import clock_time, duration_text, relative
from tests.support import NOW


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 m"),
        (200, "3 m 20 s"),
        (18720, "5 h 12 m"),
        (18000, "5 h"),
        (3605, "1 h"),
        (180000, "2 d 2 h"),
        (86460, "1 d"),
        (-200, "-3 m 20 s"),
    ],
)
def test_span(seconds: float, said: str) -> None:
    """The two largest units count; what is zero is left out."""
    assert duration_text(timedelta(seconds=seconds)) == said


def test_times() -> None:
    """A moment is told from now, and as a time of day in UTC."""
    assert relative(NOW + timedelta(minutes=312), NOW) == "in 5 h 12 m"
    assert relative(NOW - timedelta(minutes=3), NOW) == "3 m ago"
    assert clock_time(NOW) == "2026-11-23 10:00 UTC"
