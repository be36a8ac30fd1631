"""The header `Retry-After`: how long a server asks us to wait.

https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 86_400.0  # seconds: a server that asks for more is asked again after a day

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")


def retry_after(header: str | None, now: datetime | None, date: str | None = None) -> float | None:
    """Return the seconds to wait, 0 to `LONGEST`; None where the header is missing or malformed.

    A date counts from the server's own clock where its header `Date` is given, else from `now`;
    where both are missing it asks for nothing.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST)
    end, begin = http_time(text), http_time(date or "") or now
    if end is None or begin is None:
        return None
    return min(max((end - begin).total_seconds(), 0.0), LONGEST)


def http_time(text: str) -> datetime | None:
    """Return the time in a header; None where it is none."""
    try:
        found = parsedate_to_datetime(text)
        return found.replace(tzinfo=found.tzinfo or UTC)
    except (ValueError, TypeError, OverflowError):
        return None
