"""Bounds what is read of an API server's answer: lightkube reads it whole, however long it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 4 * 1024 * 1024
"""Bytes. An object has one and a half million at most, and its Status less."""


class UnreadableError(httpx2.DecodingError):
    """The answer is longer than any object, or packed though we asked for it plain."""


def bound(client: httpx2.Client, seconds: float) -> None:
    """Let every answer to this client end after `LIMIT` bytes and this many seconds.

    What is read then raises `UnreadableError`, or `httpx2.ReadTimeout`.
    """
    client.headers["Accept-Encoding"] = "identity"

    def prepare(response: httpx2.Response) -> None:
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise UnreadableError("it is packed", request=response.request)
        response.stream = _Bounded(response, time.monotonic() + seconds)

    client.event_hooks = {"response": [prepare]}


class _Bounded(httpx2.SyncByteStream):
    def __init__(self, response: httpx2.Response, deadline: float) -> None:
        self._request = response.request
        self._stream = response.stream
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        left = LIMIT
        assert isinstance(self._stream, httpx2.SyncByteStream)  # noqa: S101  what a sync client has
        for piece in self._stream:
            left -= len(piece)
            if left < 0:
                raise UnreadableError("it is too long", request=self._request)
            if time.monotonic() > self._deadline:
                raise httpx2.ReadTimeout("it takes too long", request=self._request)
            yield piece

    def close(self) -> None:
        """Close the connection."""
        if isinstance(self._stream, httpx2.SyncByteStream):
            self._stream.close()
