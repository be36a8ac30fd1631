"""The end that a token itself holds, where its registry writes one into it."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rotator.core.model import Secret

# No token is longer; a longer text is not decoded.
_LONGEST = 16_384


def token_end(password: Secret) -> datetime | None:
    """Return when a token says that it ends; None where it says nothing.

    A JSON Web Token has `exp` (RFC 7519, 4.1.4). An ECR token is base64 of a JSON object with
    `expiration`, both in seconds since 1970.
    """
    text = password.reveal()
    if len(text) > _LONGEST:
        return None
    parts = text.split(".")
    payload, field = (parts[1], "exp") if len(parts) == 3 else (text, "expiration")  # noqa: PLR2004
    try:
        raw = base64.b64decode(payload + "=" * (-len(payload) % 4), altchars=b"-_", validate=True)
        fields = json.loads(raw)
        end = fields.get(field) if isinstance(fields, dict) else None
        if isinstance(end, bool) or not isinstance(end, int | float):
            return None
        return datetime.fromtimestamp(end, UTC)
    except (ValueError, binascii.Error, RecursionError, OverflowError, OSError):
        return None
