"""`Retry-After` in the ways that servers write it."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.http.retry_after import LONGEST, retry_after
from tests.support import NOW

SOON = format_datetime(NOW + timedelta(seconds=90), usegmt=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        (" 30 ", 30.0),
        ("1.5", 1.5),
        ("-5", None),
        ("+5", None),
        ("1e9", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("٣", None),
        ("9" * 400, LONGEST),
        (SOON, 90.0),
        (SOON.replace("GMT", "-0000"), 90.0),
        ("Wed, 01 Jan 1997 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Fri, 45 Dec 2027 23:59:59 GMT", None),
    ],
)
def test_header(header: str | None, seconds: float | None) -> None:
    """Seconds or a date; what is neither asks for nothing."""
    assert retry_after(header, NOW) == seconds


def test_a_date_counts_from_the_servers_clock() -> None:
    """A server an hour ahead asks for the same wait, in its own time."""
    ahead = NOW + timedelta(hours=1)
    end = format_datetime(ahead + timedelta(seconds=20), usegmt=True)
    assert retry_after(end, NOW, format_datetime(ahead, usegmt=True)) == 20.0
    assert retry_after(end, NOW, "no date") == 3620.0


@given(st.text())
def test_never_fails(header: str) -> None:
    """Whatever a server sends is a wait within bounds, or none."""
    seconds = retry_after(header, NOW, header)
    assert seconds is None or 0 <= seconds <= LONGEST
