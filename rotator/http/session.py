"""Limits for a `requests` session, so that no server can block it or fill the memory.

For sessions that a library of ours uses for its own requests, one after the other. See
`client` for a conversation with a server that nobody configured.
"""

from __future__ import annotations

import io
import time
import zlib
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError

from rotator.http.connections import limit
from rotator.http.idle import Idle
from rotator.http.reading import body_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LIMIT = 4 * 1024 * 1024
"""Bytes of one answer. The documents that rotator keeps are some kilobytes."""


class AnswerTooLongError(requests.RequestException):
    """The server's answer is longer than anything that was asked for."""


class BoundedAdapter(HTTPAdapter):
    """Reads each answer at once: within `seconds`, and up to `LIMIT` bytes.

    Besides what `requests` raises, `send` raises `AnswerTooLongError`.
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic, **options: Any
    ) -> None:
        self._seconds = seconds
        self._idle = Idle(self.close, clock)
        super().__init__(**options)

    def get_connection_with_tls_context(self, *args: Any, **named: Any) -> Any:
        """Return the pool, whose connections have our clock."""
        pool = super().get_connection_with_tls_context(*args, **named)
        return limit(pool, lambda: time.monotonic() + self._seconds)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002  requests' signature
        timeout: Any = None,
        verify: bool | str = True,  # noqa: FBT001, FBT002  requests' signature
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a request, and return the answer with its whole body."""
        request.headers["Accept-Encoding"] = "identity"
        self._idle.end()
        response = super().send(request, True, timeout, verify, cert, proxies)  # noqa: FBT003  as above
        try:
            response.raw = io.BytesIO(_whole(response))
        except BaseException:
            response.close()
            raise
        return response


def _whole(response: requests.Response) -> bytes:
    try:
        data = body_of(response.raw, response.headers.get("Content-Encoding", ""), LIMIT + 1)
    except ReadTimeoutError as error:
        raise requests.ReadTimeout(error, request=response.request) from error
    except (HTTPError, OSError, zlib.error) as error:
        raise requests.ConnectionError(error, request=response.request) from error
    if len(data) > LIMIT:
        raise AnswerTooLongError(request=response.request)
    return data
