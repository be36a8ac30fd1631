"""Which failures the log says again: when one begins, when it changes, once an hour, when it ends.

A daemon tries again every few seconds. Each try would be a line, and nobody would find the others.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from datetime import datetime

HOUR = timedelta(hours=1)

# What differs from try to try without being another failure: times, ports, numbers of requests.
_VARIES = re.compile(r"\b(?=[0-9a-f-]*\d)[0-9a-f-]{6,}\b|\d+")


class News(StrEnum):
    """Why a failure is logged now."""

    BEGAN = "began"
    CHANGED = "changed"
    LASTS = "lasts"
    ENDED = "ended"


class Logged(Struct, frozen=True):
    """A failure that lasts: what it is, since when, when it was logged last, how often it came."""

    what: str
    since: datetime
    at: datetime
    count: int = 1


def news(last: Logged | None, what: str | None, now: datetime) -> tuple[News | None, Logged | None]:
    """Return why to log a failure, None where not, and what to remember of it.

    `last`: what was remembered before. `what`: the failure's reason and detail, None where all is
    well again.
    """
    if what is None:
        return (None if last is None else News.ENDED), None
    what = without_numbers(what)
    if last is None:
        return News.BEGAN, Logged(what, now, now)
    again = replace(last, count=last.count + 1)
    if what != last.what:
        return News.CHANGED, replace(again, what=what, at=now)
    # A clock that was set back must not silence it for longer.
    if not timedelta(0) <= now - last.at < HOUR:
        return News.LASTS, replace(again, at=now)
    return None, again


def without_numbers(text: str) -> str:
    """Return a text without what may differ from one try to the next."""
    return _VARIES.sub("#", text)
