"""Reads an answer over HTTP within a time and a size, whatever the server does.

A read timeout alone bounds neither: it starts again with every byte, and a body may never end.
"""

from __future__ import annotations

import base64
import io
import json
import math
import time
import zlib
from datetime import UTC, datetime
from http.client import HTTPResponse
from typing import Any

_DEEPEST = 100
_ANY_ENCODING = 47  # zlib: gzip or zlib, as the header says
_PIECE = 64 * 1024


class TimedResponse(HTTPResponse):
    """A response that is read until `deadline`, on the monotonic clock, and no longer."""

    def __init__(self, sock: Any, *args: Any, deadline: float, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        self.fp = io.BufferedReader(_TimedReader(sock, self.fp.detach(), deadline))


class _TimedReader(io.RawIOBase):
    """Reads a socket until the deadline, however often a byte arrives. `raw`: its file."""

    def __init__(self, sock: Any, raw: Any, deadline: float) -> None:
        self._sock = sock
        self._raw = raw
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(min(self._sock.gettimeout() or left, left))
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def json_in(data: bytes | str) -> Any:
    """Return the JSON value that a body holds; None where it is none, or null.

    None too where it is nested too deeply, or holds a lone surrogate: that is no text, and fails
    wherever it is written or sent.
    """
    try:
        value = json.loads(data)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if _is_shallow(value) else None


def object_in(value: Any) -> dict[str, Any]:
    """Return a JSON object as it is, and an empty one in the place of any other value."""
    return value if isinstance(value, dict) else {}


def list_in(value: Any) -> list[Any]:
    """Return a JSON array as it is, and an empty one in the place of any other value."""
    return value if isinstance(value, list) else []


def time_in(value: Any) -> datetime | None:
    """Return the point in time in a text (RFC 3339, UTC where it names no zone); None else."""
    try:
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def base64_in(text: str) -> bytes | None:
    """Return what a text is base64 of, white space left out; None where it is none."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return None


def _is_shallow(value: Any) -> bool:
    """Tell whether it is nested so little that nobody who walks through it runs out of stack."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_DEEPEST):
        inside = [one.values() if isinstance(one, dict) else one for one in level]
        level = [each for one in inside for each in one if isinstance(each, dict | list)]
        if not level:
            return True
    return False


def body_of(raw: Any, encoding: str, limit: int, deadline: float = math.inf) -> bytes:
    """Return what a body says, its first `limit` bytes. `raw`: urllib3's response.

    `deadline`: on the monotonic clock, where the connection has none (see `connections`).

    Raises urllib3's `HTTPError`, `OSError` (`TimeoutError` at the deadline) and `zlib.error` where
    it is broken.
    """
    data = b""
    while len(data) < limit and (more := raw.read1(_PIECE, decode_content=False)):
        data += more
        if time.monotonic() > deadline:
            raise TimeoutError
    if encoding.strip().lower() in ("", "identity"):
        return data[:limit]
    # A server may pack though nobody asked it to.
    return zlib.decompressobj(_ANY_ENCODING).decompress(data, limit)
