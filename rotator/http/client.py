"""One short conversation with a server that may be hostile: bounded in time, in size and in reach.

`requests` alone is not enough for that: its read timeout starts anew with every byte. Its sessions
are not used, only what is below them: they read the whole body of a redirect that they do not
follow, send what `~/.netrc` says, and send cookies: with an old one, a registry may accept a login
that it would reject.
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

from rotator.http.causes import causes
from rotator.http.reading import TimedResponse, unpacked

if TYPE_CHECKING:
    import ssl

BODY_LIMIT = 64 * 1024
HEADER_LIMIT = 8 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a conversation may take, in seconds: to connect, for one read, and in all."""

    connect: float = 3.0
    read: float = 5.0
    overall: float = 8.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered. `body` is its first 64 KiB, and only of a 200 or a 403."""

    status: int
    challenge: str
    body: bytes


class NoAnswerError(Exception):
    """There is no answer, or none that may be followed. `detail` says why, and holds no secret.

    `mute`: something listens there, but does not speak HTTP over what it was asked over.
    """

    def __init__(self, detail: str, *, mute: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.mute = mute


class BoundedHttp:
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
        self._adapter = _Adapter(trust, deadline)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._adapter.close()

    def get(self, url: str, authorization: str | None = None) -> Answer:
        """Return what `url` answers, redirected at most three times, and only to the same origin.

        Raises `NoAnswerError`.
        """
        for _ in range(_MOST_REDIRECTS + 1):
            status, location, answer = self._get(url, authorization)
            if status not in _REDIRECTS:
                return answer
            target = _joined(url, location)
            if target is None or _origin(target) != _origin(url):
                where = "nowhere" if target is None else urlsplit(target).hostname
                raise NoAnswerError(f"it redirects to {where}, where no credential is sent")
            url = target
        raise NoAnswerError(f"it redirects more than {_MOST_REDIRECTS} times")

    def _get(self, url: str, authorization: str | None) -> tuple[int, str, Answer]:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise NoAnswerError(f"no answer within {self._limits.overall:g} s")
        limits = (min(self._limits.connect, left), min(self._limits.read, left))
        headers = {"User-Agent": "rotator", "Accept": "*/*", "Accept-Encoding": "identity"}
        if authorization is not None:
            headers["Authorization"] = authorization
        try:
            request = requests.Request("GET", url, headers).prepare()
            proxies = {} if self._direct else get_environ_proxies(url)
            with self._adapter.send(
                request, stream=True, timeout=limits, proxies=proxies
            ) as response:
                # The headers as they came: `requests` may have joined or lost some.
                challenge = ", ".join(response.raw.headers.getlist("WWW-Authenticate"))
                return (
                    response.status_code,
                    response.headers.get("Location", ""),
                    Answer(response.status_code, challenge[:HEADER_LIMIT], _body(response)),
                )
        except (requests.RequestException, HTTPError, OSError, ValueError, zlib.error) as error:
            raise self._no_answer(error) from None  # its text may hold a proxy's password

    def _no_answer(self, error: Exception) -> NoAnswerError:
        behind = list(causes(error))
        for kind, detail, mute in (
            (requests.exceptions.ProxyError, "the proxy does not let it through", False),
            (NameResolutionError, "its name can't be resolved", False),
            (requests.ConnectTimeout, f"no connection within {self._limits.connect:g} s", False),
            (requests.ReadTimeout, f"no answer within {self._limits.overall:g} s", True),
            (TimeoutError, f"no answer within {self._limits.overall:g} s", True),
            (zlib.error, "its answer can't be decompressed", False),
        ):
            if any(isinstance(cause, kind) for cause in behind):
                return NoAnswerError(detail, mute=mute)
        for cause in behind:
            if why := getattr(cause, "verify_message", None):
                return NoAnswerError(f"its TLS certificate is not trusted: {why}")
        if isinstance(error, requests.exceptions.SSLError):
            return NoAnswerError("it does not speak TLS", mute=True)
        mute = not any(isinstance(cause, NewConnectionError) for cause in behind)
        told = [c.strerror for c in behind if isinstance(c, OSError) and c.strerror and c.errno]
        return NoAnswerError(told[-1].lower() if told else "it speaks no HTTP", mute=mute)


class _Adapter(HTTPAdapter):
    """Brings our trust and our deadline into the connections."""

    def __init__(self, trust: ssl.SSLContext, deadline: float) -> None:
        self._trust = trust
        self._deadline = deadline
        super().__init__()

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._trust, "cert_reqs": self._trust.verify_mode}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Change nothing: the context says what is trusted."""

    def get_connection_with_tls_context(self, *args: Any, **named: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **named)
        kind = _TimedHttps if pool.scheme == "https" else _TimedHttp
        pool.ConnectionCls = partial(kind, deadline=self._deadline)
        return pool


class _TimedHttp(HTTPConnection):
    def __init__(self, *args: Any, deadline: float, **named: Any) -> None:
        super().__init__(*args, **named)
        self.response_class = partial(TimedResponse, deadline=deadline)  # type: ignore[assignment]


class _TimedHttps(HTTPSConnection):
    def __init__(self, *args: Any, deadline: float, **named: Any) -> None:
        super().__init__(*args, **named)
        self.response_class = partial(TimedResponse, deadline=deadline)  # type: ignore[assignment]

    def connect(self) -> None:
        super().connect()
        # Not verified only where the configuration allows it: urllib3 need not warn at each call.
        self.is_verified = True


def _body(response: requests.Response) -> bytes:
    if response.status_code not in (200, 403):
        return b""
    data: bytes = response.raw.read(BODY_LIMIT, decode_content=False)
    return unpacked(data, response.headers.get("Content-Encoding", ""), BODY_LIMIT)


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
