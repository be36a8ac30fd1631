"""A server that answers whatever it is told to, well or ill, and what to tell it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from rotator.http.reading import json_in
from tests.fakes.loopback import Handler, Loopback

if TYPE_CHECKING:
    import socket
    import ssl
    import threading
    from collections.abc import Callable, Iterator, Mapping

FUZZ = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

FUZZ_SLOW = settings(FUZZ, max_examples=12)
"""For a driver that takes a tenth of a second each time."""

ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 2**63, 10**30, -(10**30), 0.5, 1e308, "", " ", "x", "0",
    "-1", "9" * 50, "1e999", "\x00", "\x1b[2J", "a\nb", "\N{SNOWMAN}", "s3cr3t-odd", "x" * 5000,
    "2026-11-23T10:00:00Z", "2026-11-23T10:00:00", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "not-a-date", [], {}, [None], [[]], {"": None}, {"a": {"b": []}},
]  # fmt: skip
"""Values that nobody expects."""

SCALARS = st.sampled_from(ODD) | st.integers() | st.floats() | st.text(max_size=20)


def json_with(names: list[str]) -> st.SearchStrategy[Any]:
    """Return any JSON value whose objects use these names."""
    keys = st.sampled_from(names) | st.text(max_size=5)
    return st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6),
        max_leaves=12,
    )


DAMAGE = st.lists(st.tuples(st.integers(0, 40), SCALARS), max_size=2)
"""Which parts of a document are replaced, and by what."""


def damaged(document: Any, damage: list[tuple[int, Any]]) -> Any:
    """Return the document with parts of it replaced by something odd."""
    for number, new in damage:
        places = list(_places(document))
        document = _with(document, places[number % len(places)], new)
    return document


def _places(value: Any, here: tuple[Any, ...] = ()) -> Any:
    yield here
    if isinstance(value, dict):
        items: Any = value.items()
    else:
        items = enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*here, key))


def _with(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = _with(value[place[0]], place[1:], new)
    return copy


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else ():
        yield from _texts(inner)


def dumped(value: Any) -> bytes:
    """Return a value as JSON; what is no JSON (NaN) is written all the same."""
    return json.dumps(value).encode()


NASTY: dict[str, bytes] = {
    "empty": b"",
    "null": b"null",
    "not JSON": b"{",
    "a page": b"<html><body>Sign in</body></html>",
    "not text": b"\xff\xfe\x00garbage",
    "half a character": b'{"data": {"data": {"password": "\\ud800"}}, "value": "\\ud800"}',
    "nested deeply": b'{"data":' * 5000 + b"1" + b"}" * 5000,
    "nested lists": b"[" * 100_000,
    "nested as deep as may be": b'{"errors":[' + b"[" * 900 + b"]" * 900 + b"]}",
    "endless number": b'{"lease_duration": ' + b"9" * 5000 + b"}",
    "many": dumped({"data": dict.fromkeys(map(str, range(20_000)), "x")}),
}
"""Whole bodies that mean harm."""


@dataclass
class Reply:
    """One answer."""

    body: bytes = b"{}"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


class Stub(Loopback):
    """A context manager: HTTP on loopback, HTTPS with `tls`.

    `answer` makes each reply from method and path.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answer: Callable[[str, str], Reply] = lambda _method, _path: Reply()
        self.harm: Callable[[socket.socket, threading.Event], None] | None = None
        self.received: list[str] = []
        self.serve(_Handler, tls=tls)


class _Handler(Handler):
    fake: Stub

    def reply(self) -> None:
        stub = self.fake
        stub.received = [*_texts(json_in(self.body())), *map(str, self.headers.values())]
        self.close_connection = True
        if stub.harm is not None:
            with suppress(OSError):
                stub.harm(self.connection, stub.closing)
            return
        given = stub.answer(self.command, self.path.partition("?")[0])
        self.send(given.status, given.body, {**given.headers, "Connection": "close"})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = reply  # noqa: N815  http.server's names
