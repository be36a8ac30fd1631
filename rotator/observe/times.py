"""Times and lists as people say them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta


_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def duration_text(span: timedelta) -> str:
    """Return a time span as people say it, in its two largest units: `5 h 12 m`, `2 d`."""
    seconds = int(span.total_seconds())
    if seconds < 0:
        return f"-{duration_text(-span)}"
    parts = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        parts.append((count, unit))
    first = next((at for at, (count, _) in enumerate(parts) if count), len(parts) - 1)
    said = [f"{count} {unit}" for count, unit in parts[first : first + 2] if count]
    return " ".join(said) or "0 s"


def relative(at: datetime, now: datetime) -> str:
    """Return when something was or will be, from now on: `in 5 h 12 m`, `3 m 20 s ago`."""
    if at < now:
        return f"{duration_text(now - at)} ago"
    return f"in {duration_text(at - now)}"


def end_text(end: datetime | None, now: datetime) -> str:
    """Return when something ends or has ended: `ends in 5 h 12 m`, `has no known end`."""
    if end is None:
        return "has no known end"
    return f"{'ends' if end > now else 'ended'} {relative(end, now)}"


def few(names: Sequence[str], most: int) -> str:
    """Return the first of the names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def clock_time(at: datetime) -> str:
    """Return a time as a date and a time of day, in UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"
