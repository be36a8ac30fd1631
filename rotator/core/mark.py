"""The mark as annotations: how any target that can hold named texts keeps it beside the document.

- `rotator/expires`: a JSON object, registry -> end in RFC 3339 UTC (`2026-11-23T22:00:00Z`) or null
- `rotator/fingerprint`: `hmac:` and 12 hexadecimal digits
- `rotator/rotation`: the rotation's name
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rotator.core.model import Mark

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPIRES = "rotator/expires"
FINGERPRINT = "rotator/fingerprint"
ROTATION = "rotator/rotation"


def to_annotations(mark: Mark) -> dict[str, str]:
    """Return the mark as texts by name. The same mark gives the same texts."""
    expires = {registry: _text(end) for registry, end in mark.expires.items()}
    return {
        EXPIRES: json.dumps(expires, sort_keys=True, separators=(",", ":")),
        FINGERPRINT: mark.fingerprint,
        ROTATION: mark.rotation,
    }


def from_annotations(annotations: Mapping[str, object]) -> Mark | None:
    """Return the mark that the texts hold; None where they hold none that makes sense.

    Never raises: anybody can write them. Other names are left alone.
    """
    written, fingerprint, rotation = map(annotations.get, (EXPIRES, FINGERPRINT, ROTATION))
    if not (
        isinstance(written, str) and isinstance(fingerprint, str) and isinstance(rotation, str)
    ):
        return None
    try:
        expires = {registry: _time(end) for registry, end in json.loads(written).items()}
        # A lone surrogate, which JSON can hold, is no text: it fails where it is printed.
        "".join((fingerprint, rotation, *expires)).encode()
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return Mark(expires, fingerprint, rotation)


def _text(end: datetime | None) -> str | None:
    # Fractions of a second stay: an end that reads earlier than it is looks like a later one came.
    return end.astimezone(UTC).isoformat().replace("+00:00", "Z") if end else None


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    end = datetime.fromisoformat(text)
    if end.tzinfo is None:
        raise ValueError("an end without a time zone is no point in time")
    return end.astimezone(UTC)
