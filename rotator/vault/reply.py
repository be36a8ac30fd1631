"""What a Vault server's successful answers hold, read without trust in what it sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rotator.http.reading import json_in

if TYPE_CHECKING:
    import requests

_LARGEST = 2**31


def json_object(response: requests.Response) -> Mapping[str, Any] | None:
    """Return the JSON object in an answer; None where something else is in it."""
    document = json_in(response.content)
    return document if isinstance(document, Mapping) else None


def whole_number(value: Any) -> int:
    """Return a count as servers give it (seconds, a version): 0 where it is none, 2^31 at most."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return min(max(value, 0), _LARGEST)


def duration(value: Any) -> timedelta | None:
    """Return a number of seconds as a duration; None where it is none, or 0."""
    count = whole_number(value)
    return timedelta(seconds=count) if count else None
