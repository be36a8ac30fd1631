"""A door in front of a real server: counts what goes through, and can be shut, slow or rude.

It lets tests bring about what the server itself can't be made to do, and harms nobody else who uses
that server.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests

from tests.fakes.loopback import Handler, Loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HOP = {"connection", "content-length", "host", "server", "transfer-encoding"}


@dataclass(frozen=True)
class Answer:
    """What the door says itself, instead of the server behind it."""

    status: int
    body: bytes | str = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One request that came to the door; `path` has no `/v1/` and no query."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class VaultDoor(Loopback):
    """Passes on to `upstream` what comes over HTTP.

    `rude` maps a part of a path ("" for all) to what is answered instead: an `Answer`, or a
    function of the request that returns one or None.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.seen: list[Request] = []
        self.rude: dict[str, Answer | Callable[[Request], Answer | None]] = {}
        self.delay = threading.Event()
        self._open = threading.Event()
        self.serve(_Handler)

    def __exit__(self, *_: object) -> None:
        self.hurry()
        self.stop()

    def slow(self) -> None:
        """Answer nothing until `hurry`."""
        self.delay.set()
        self._open.clear()

    def hurry(self) -> None:
        """Answer again, also what waits."""
        self.delay.clear()
        self._open.set()

    def asked(self, method: str = "", part: str = "") -> int:
        """Return how many requests of this method came for paths with this part."""
        return sum(method in ("", request.method) and part in request.path for request in self.seen)

    def answer(self, request: Request) -> Answer:
        """Return the rude answer where there is one, else the server's."""
        self.seen.append(request)
        if self.delay.is_set():
            self._open.wait(30)
        for part, rude in self.rude.items():
            if part in request.path:
                answer = rude if isinstance(rude, Answer) else rude(request)
                if answer is not None:
                    return answer
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
        query = f"?{request.query}" if request.query else ""
        reply = requests.request(
            request.method,
            f"{self.upstream}/v1/{request.path}{query}",
            headers=headers,
            data=request.body,
            timeout=15,
        )
        stored = {k: v for k, v in reply.headers.items() if k.lower() not in _HOP}
        return Answer(reply.status_code, reply.content, stored)


def refusal(status: int, *errors: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer as Vault words it."""
    return Answer(
        status,
        json.dumps({"errors": errors}),
        {"Content-Type": "application/json", **(headers or {})},
    )


class _Handler(Handler):
    fake: VaultDoor

    def answer(self) -> None:
        path, _, query = self.path.partition("?")
        headers = dict(self.headers.items())
        request = Request(self.command, path.removeprefix("/v1/"), query, headers, self.body())
        answer = self.fake.answer(request)
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        self.send(answer.status, body, {**answer.headers, "Connection": "close"})

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815  http.server's names
