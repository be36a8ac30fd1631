"""One short conversation with a server that may be hostile: bounded in time, in size and in reach.

`requests` alone is not enough for that: its read timeout starts again with every byte. Its sessions
are not used, only what is below them: they read the whole body of a redirect that they do not
follow, send what `~/.netrc` says, and send cookies: with an old one, a registry may accept a login
that it would reject.
"""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING, Self
from urllib.parse import urljoin, urlsplit

import requests
from msgspec import Struct
from msgspec.structs import replace
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

from rotator.http.causes import causes, distrust, no_http, system_message
from rotator.http.connections import NameServerTimeoutError
from rotator.http.reading import body_of
from rotator.http.session import TimedAdapter

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

BODY_LIMIT, HEADER_LIMIT = 64 * 1024, 8 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3
_UNAUTHORIZED, _SERVER_ERROR = 401, 500
_HEADERS = {"User-Agent": "rotator", "Accept": "*/*", "Accept-Encoding": "identity"}


class Limits(Struct, frozen=True):
    """How long a conversation may take, in seconds: to connect, for one read, and in all."""

    connect: float = 3.0
    read: float = 5.0
    overall: float = 8.0


class Answer(Struct, frozen=True):
    """An answer. `body` is its first 64 KiB; `whole` tells whether there is more."""

    status: int
    challenge: str = ""
    body: bytes = b""
    whole: bool = True

    @property
    def is_page(self) -> bool:
        """Tell whether it is a page for people: a proxy's, a firewall's, a login form."""
        return self.body.lstrip()[:1] == b"<"


class NoAnswerError(Exception):
    """There is no answer, or none that may be followed. `detail` says why, and holds no secret.

    `mute`: something listens there, but does not speak HTTP over what it was asked over.
    """

    def __init__(self, detail: str, *, mute: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.mute = mute


class Client:
    """A conversation with one server, ended by `with`.

    `deadline` is the end of all of it, on the monotonic clock. `direct`: no proxy, whatever the
    environment says.
    """

    def __init__(
        self, trust: ssl.SSLContext, limits: Limits, deadline: float, *, direct: bool
    ) -> None:
        self.deadline = deadline
        self._limits = limits
        self._direct = direct
        self._adapter = TimedAdapter(lambda: deadline, trust)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._adapter.close()

    def get(self, url: str, authorization: str | None = None) -> Answer:
        """Return what `url` answers, redirected within its origin only; raise `NoAnswerError`."""
        headers = {"Authorization": authorization} if authorization else {}
        for _ in range(_MOST_REDIRECTS + 1):
            answer, location = self._send("GET", url, headers)
            if answer.status not in _REDIRECTS:
                return answer
            target = _joined(url, location)
            if target is None or _origin(target) != _origin(url):
                raise _redirected(target)
            url = target
        raise NoAnswerError(f"it redirects more than {_MOST_REDIRECTS} times")

    def post(self, url: str, form: Mapping[str, str]) -> Answer:
        """Return what `url` answers to a form, which goes nowhere else; raise `NoAnswerError`."""
        answer, location = self._send("POST", url, {}, form)
        if answer.status in _REDIRECTS:
            raise _redirected(_joined(url, location))
        return answer

    def _send(
        self, method: str, url: str, headers: dict[str, str], form: Mapping[str, str] | None = None
    ) -> tuple[Answer, str]:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise NoAnswerError(f"no answer within {self._limits.overall:g} s")
        limits = (min(self._limits.connect, left), min(self._limits.read, left))
        headers = {**_HEADERS, **headers}
        try:
            request = requests.Request(method, url, headers, data=form).prepare()
            proxies = {} if self._direct else get_environ_proxies(url)
            with self._adapter.send(
                request, stream=True, timeout=limits, proxies=proxies
            ) as response:
                # The headers as they came: `requests` may have joined or lost some.
                challenge = ", ".join(response.raw.headers.getlist("WWW-Authenticate"))
                location = response.headers.get("Location", "")
                answer = Answer(response.status_code, challenge[:HEADER_LIMIT])
                # A challenge is in the headers; the body after them may take time.
                is_challenge = answer.status == _UNAUTHORIZED and headers == _HEADERS and not form
                return answer if is_challenge else _with_body(answer, response), location
        except (requests.RequestException, HTTPError, OSError, ValueError, zlib.error) as error:
            raise self._no_answer(error) from None  # its text may hold a proxy's password

    def _no_answer(self, error: Exception) -> NoAnswerError:
        behind = list(causes(error))
        is_over = time.monotonic() >= self.deadline
        silent = self._limits.overall if is_over else self._limits.read
        for kind, detail, mute in (
            (NameServerTimeoutError, "the name server does not answer in time", False),
            (requests.exceptions.ProxyError, "the proxy does not let it through", False),
            (NameResolutionError, "its name can't be resolved", False),
            (requests.ConnectTimeout, f"no connection within {self._limits.connect:g} s", False),
            (requests.ReadTimeout, f"no answer within {silent:g} s", True),
            (TimeoutError, f"no answer within {silent:g} s", True),
            (zlib.error, "its answer can't be decompressed", False),
        ):
            if any(isinstance(cause, kind) for cause in behind):
                return NoAnswerError(detail, mute=mute)
        if why := distrust(error):
            return NoAnswerError(f"its TLS certificate is not trusted: {why}")
        if isinstance(error, requests.exceptions.SSLError):
            return NoAnswerError("it does not speak TLS", mute=True)
        mute = not any(isinstance(cause, NewConnectionError) for cause in behind)
        said = no_http(error) or system_message(error).lower() or "it speaks no HTTP"
        return NoAnswerError(said, mute=mute)


def _with_body(answer: Answer, response: requests.Response) -> Answer:
    """Return the answer with its body, where that may tell more than the status does."""
    if answer.status in _REDIRECTS or answer.status >= _SERVER_ERROR:
        return answer
    try:
        data = body_of(response.raw, response.headers.get("Content-Encoding", ""), BODY_LIMIT)
    except (HTTPError, OSError, zlib.error):
        # A 401 is one, whatever comes after it.
        if answer.status == _UNAUTHORIZED:
            return answer
        raise
    return replace(answer, body=data, whole=len(data) < BODY_LIMIT)


def _redirected(target: str | None) -> NoAnswerError:
    where = "nowhere" if target is None else urlsplit(target).hostname
    return NoAnswerError(f"it redirects to {where}, where no credential is sent")


def _joined(url: str, location: str) -> str | None:
    try:
        return urljoin(url, location) if location else None
    except ValueError:
        return None


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    parts = urlsplit(url)
    try:
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return None
    return parts.scheme, parts.hostname, port
