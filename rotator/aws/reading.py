"""Bounds what is read of an answer in the name of AWS: the SDK reads it whole, however long it is.

The SDK asks the listeners of its event `before-send` for an answer, and else gets it itself.
https://docs.aws.amazon.com/boto3/latest/guide/events.html
"""

from __future__ import annotations

import os
import time
import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore import exceptions as sdk
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from botocore.parsers import ResponseParserError
from botocore.utils import get_environ_proxies
from urllib3 import exceptions as http
from urllib3.connection import HTTPConnection

from rotator.http.connections import Idle
from rotator.http.reading import body_of
from rotator.system.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.session import Session

LIMIT = 256 * 1024
"""Bytes. A token has a few thousand."""

# As the SDK's own clients have it: else a body waits 40 ms until its head is acknowledged.
_AT_ONCE = HTTPConnection.default_socket_options


class _Http(URLLib3Session):  # type: ignore[misc]  # published without type information
    """The SDK's HTTP: hours pass between two calls, so a connection is for those of one fetch."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._idle = Idle(self.close)

    def send(self, request: Any) -> Any:
        """Return the answer to a request."""
        self._idle.end()
        return super().send(request)


# For all clients: reading the authorities to trust takes longer than a call.
_sessions: Cache[_Http] = Cache()


def bound(session: Session, ca_file: Path | None, seconds: tuple[float, float]) -> None:
    """Let every answer to this session's clients end after `LIMIT` bytes and some seconds.

    `seconds`: to connect, and for one read; a whole answer may take two reads' time. What is longer
    raises the SDK's own errors.
    """
    bundle = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    verify = str(ca_file) if ca_file else bundle or True
    session.register("before-send", partial(_answer, verify, seconds))


def _answer(verify: str | bool, seconds: tuple[float, float], request: Any, **_: Any) -> Any:  # noqa: FBT001  as the SDK has it
    proxies = get_environ_proxies(request.url)
    http = _sessions.get(
        (verify, seconds, *sorted(proxies.items())),
        [Path(verify)] if isinstance(verify, str) else [],
        partial(_Http, verify, proxies, timeout=seconds, socket_options=_AT_ONCE),
    )
    request.stream_output = True
    answer = http.send(request)
    try:
        body = _Body(_whole(answer, request.url, time.monotonic() + 2 * seconds[1]))
    except BaseException:
        answer.raw.close()
        raise
    return AWSResponse(request.url, answer.status_code, answer.headers, body)


def _whole(answer: Any, url: str, deadline: float) -> bytes:
    try:
        data = body_of(answer.raw, answer.headers.get("Content-Encoding", ""), LIMIT + 1, deadline)
    except (http.ReadTimeoutError, TimeoutError) as error:
        raise sdk.ReadTimeoutError(endpoint_url=url, error=error) from error
    except http.HTTPError as error:
        raise sdk.HTTPClientError(error=error) from error
    except zlib.error:
        raise ResponseParserError("it can't be unpacked") from None
    if len(data) > LIMIT:
        raise ResponseParserError("it is too long")
    return data


class _Body:
    """A body that was read, as the SDK takes one."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Iterator[bytes]:
        """Give it in one piece."""
        yield self._data
