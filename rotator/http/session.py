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

from rotator.http.connections import Idle, limit
from rotator.http.reading import body_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

LIMIT = 4 * 1024 * 1024  # bytes of one answer; our documents are some kilobytes


class AnswerTooLongError(requests.RequestException):
    """The server's answer is longer than anything that was asked for."""


class TimedAdapter(HTTPAdapter):
    """Makes connections that end at `deadline()`, with one TLS context for all of them.

    `trust`: the context, where the settings of the session don't count; `name`: the one that the
    server's certificate has, where that is not the host's.
    """

    def __init__(
        self,
        deadline: Callable[[], float],
        trust: ssl.SSLContext | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        self._deadline = deadline
        self._tls: dict[str, Any] = {}
        if trust is not None:
            self._tls = {"ssl_context": trust, "cert_reqs": trust.verify_mode}
        if name:
            self._tls["server_hostname"] = name
        super().__init__(**options)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Return which pool a request goes to."""
        host, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, self._tls.copy() or tls

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Change nothing where the context says what is trusted."""
        if not self._tls:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]

    def get_connection_with_tls_context(self, *args: Any, **named: Any) -> Any:
        """Return the pool, whose connections have our clock."""
        return limit(super().get_connection_with_tls_context(*args, **named), self._deadline)


class BoundedAdapter(TimedAdapter):
    """Reads an answer at once, in `seconds`; raises `AnswerTooLongError` over `LIMIT`."""

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic, **options: Any
    ) -> None:
        self._idle = Idle(self.close, clock)
        super().__init__(lambda: time.monotonic() + seconds, **options)

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
