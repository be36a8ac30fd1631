"""Which failures are logged again: at the first, at a change, each hour, at the end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from rotator.observe.report_log import HOUR, Logged, News, news
from tests.support import NOW

if TYPE_CHECKING:
    from collections.abc import Iterable

SECOND = timedelta(seconds=1)


def logged(*tries: tuple[timedelta, str | None]) -> list[News | None]:
    """Return what each of these tries, at its time, is to the log."""
    last, found = None, []
    for at, what in tries:
        because, last = news(last, what, NOW + at)
        found.append(because)
    return found


def test_each_try_is_not_logged() -> None:
    """It begins once, and its end is logged."""
    tries: Iterable[tuple[timedelta, str | None]] = [(SECOND * n, "down") for n in range(100)]
    assert logged(*tries, (SECOND * 100, None), (SECOND * 101, None)) == [
        *(News.BEGAN, *[None] * 99),
        *(News.ENDED, None),
    ]


def test_a_change() -> None:
    """Another failure is logged; another number in the same one is not."""
    first, same = "timeout: no answer in 9.8 s (127.0.0.1:41822)", "timeout: no answer in 10 s"
    same = "timeout: no answer in 10.1 s (127.0.0.1:5000)"
    request = "403: request 4f1c2ab0-77ad-4e0e"
    again = "403: request 91cc2ab0-77ad-4e0f"
    assert logged((SECOND, first), (SECOND, same), (SECOND, request), (SECOND, again)) == [
        *(News.BEGAN, None, News.CHANGED, None)
    ]


def test_once_an_hour() -> None:
    """What lasts is not forgotten, nor where the clock was set back."""
    tries = [(HOUR / 2 * n, "down") for n in range(5)]
    assert logged(*tries) == [News.BEGAN, None, News.LASTS, None, News.LASTS]
    assert logged((HOUR * 9, "down"), (HOUR, "down")) == [News.BEGAN, News.LASTS]


def test_what_is_remembered() -> None:
    """Since when, and how often, over a change too."""
    _, first = news(None, "one", NOW)
    _, second = news(first, "two", NOW + SECOND)
    assert second == Logged(NOW, {"one": NOW, "two": NOW + SECOND}, count=2)


def test_two_that_alternate() -> None:
    """Each of them is logged once an hour, and a third one at once."""
    tries = [(HOUR / 60 * n, ("sealed", "refused")[n % 2]) for n in range(120)]
    assert [(n, one) for n, one in enumerate(logged(*tries)) if one is not None] == [
        *((0, News.BEGAN), (1, News.CHANGED)),
        *((60, News.LASTS), (61, News.LASTS)),
    ]
    third, end = (HOUR / 30, "throttled"), (HOUR / 20, None)
    assert logged(*tries[:2], third, end)[2:] == [News.CHANGED, News.ENDED]


def test_what_is_long_past_is_forgotten() -> None:
    """Texts that differ each time do not fill the memory."""
    last = None
    for number in range(500):
        _, last = news(last, "a" * number, NOW + HOUR / 5 * number)
    assert last is not None
    assert len(last.at) <= 5


@given(st.lists(st.sampled_from(["one", "two", "three", None]), max_size=50))
def test_any_history(failures: list[str | None]) -> None:
    """From the log of the last hour, a reader knows at any time whether it fails, and how."""
    last, known = None, dict[str, timedelta]()
    for number, what in enumerate(failures):
        at = HOUR / 10 * number
        because, last = news(last, what, NOW + at)
        if what is None:
            assert (because is News.ENDED) == bool(known)
            known = {}
        elif because is not None:
            assert at - known.get(what, -HOUR) >= HOUR
            known[what] = at
        assert what is None or at - known[what] < HOUR
