"""Whatever a server answers, a driver gives what it understands or says what is wrong."""

from __future__ import annotations

import base64
import itertools
import traceback
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.core.errors import DriverError
from rotator.core.model import Credential, Held
from rotator.core.record import KnownCredential, Record
from tests.fakes.ecr import key_in_environment
from tests.fuzz.drivers import DRIVERS, SECRETS, Driver
from tests.fuzz.stub import DAMAGE, FUZZ, FUZZ_SLOW, NASTY, Reply, Stub, damaged, dumped, json_with
from tests.secret_search import SecretSearch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SEARCH = SecretSearch(SECRETS)
LONGEST = 3000
STATUSES = [200, 201, 400, 401, 403, 404, 409, 422, 429, 500]


@pytest.fixture
def stub() -> Iterator[Stub]:
    """Return a server that answers anything."""
    with Stub() as server:
        yield server


@pytest.fixture(params=DRIVERS)
def driver(
    request: pytest.FixtureRequest, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Driver:
    """Return each driver in turn, at that server."""
    key_in_environment(monkeypatch)
    found: Driver = DRIVERS[request.param](stub.url, tmp_path)
    return found


def judge(driver: Driver) -> object:
    """Use the driver: what it gives can be worked with, what it raises is plain and silent."""
    try:
        outcome = driver.use()
    except DriverError as error:
        outcome = error
    for one in outcome if isinstance(outcome, list | tuple) else [outcome]:
        check(one)
    return outcome


def check(found: Any) -> None:
    """Look at what a driver gives, or raises, as the core will."""
    if isinstance(found, DriverError):
        reported = f"{found.detail} {found.hint}"
        assert found.detail.strip()
        assert found.hint.strip()
        assert reported.isprintable(), ascii(reported)
        assert len(reported) < LONGEST
        shown = "".join(traceback.format_exception(found)) + repr(found.args)
        assert SEARCH.in_text(shown, "the error") == []
    if isinstance(found, Credential):
        f"{found.username}:{found.password.reveal()}".encode()
        assert found.username
        assert ":" not in found.username
        assert found.password
        times = [found.issued_at, found.expires_at, found.lease and found.lease.expires_at]
        for time in filter(None, times):
            assert isinstance(time, datetime)
            assert time.utcoffset() is not None
        known = KnownCredential("f", "s", found.issued_at, found.expires_at, None, found.lease)
        Record.parse(Record(credentials={found.registry: (known,)}).dump())
    if isinstance(found, Held) and found.mark is not None:
        assert all(end is None or end.tzinfo for end in found.mark.expires.values())


def test_good_answers_are_understood(driver: Driver, stub: Stub) -> None:
    """The answers that the others are made from are good ones."""
    stub.answer = lambda method, path: Reply(dumped(driver.good(method, path)))
    assert isinstance(judge(driver), list | Held | tuple)


@pytest.mark.parametrize("body", NASTY.values(), ids=NASTY)
def test_nasty_bodies(driver: Driver, stub: Stub, body: bytes) -> None:
    """A whole body that means harm, with every status that has a meaning."""
    for status in (200, 400) if driver.slow else (200, 400, 403, 404, 409, 422, 429, 503):
        stub.answer = lambda *_, status=status: Reply(body, status)
        judge(driver)
    stub.answer = lambda *_: Reply(body, headers={"Content-Type": "text/html"})
    judge(driver)


@pytest.mark.parametrize("body", NASTY.values(), ids=NASTY)
def test_nasty_bodies_late(driver: Driver, stub: Stub, body: bytes) -> None:
    """The same, after some good answers."""
    for turn in range(1, 2 if driver.slow else 4):
        answers = itertools.count()

        def answer(
            method: str, path: str, turn: int = turn, answers: Iterator[int] = answers
        ) -> Reply:
            good = next(answers) < turn
            return Reply(dumped(driver.good(method, path)) if good else body)

        stub.answer = answer
        judge(driver)


HEADERS = {
    "wait for ever": {"Retry-After": "9" * 400},
    "wait backwards": {"Retry-After": "-5", "Date": "yesterday"},
    "wait till no date": {"Retry-After": "Mon, 01 Jan 0001 00:00:00 +9999"},
    "wait till the last": {"Retry-After": "Fri, 31 Dec 9999 23:59:59 -2359", "Date": "x"},
    "no calendar": {"Date": "Mon, 99 Foo 99999 99:99:99 +99999999999"},
    "year one": {"Date": "Mon, 01 Jan 0001 00:00:00 +2359"},
    "redirect to itself": {"Location": "/v1/x"},
    "redirect to nowhere": {"Location": "http://[::1"},
    "redirect elsewhere": {"Location": "gopher://user:s3cr3t-in-url@\x1b[2Jelsewhere/"},
    "packed in nothing": {"Content-Encoding": "gzip"},
    "packed in anything": {"Content-Encoding": "br, zstd"},
    "odd words": {"WWW-Authenticate": '"' * 4000, "Content-Type": "application/json; charset=nope"},
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_odd_headers(driver: Driver, stub: Stub, headers: dict[str, str]) -> None:
    """Headers that make no sense, or ask for too much."""
    whole = {"Content-Type": "application/json", **headers}
    for status in (302, 503) if driver.slow else (200, 302, 307, 400, 403, 429, 503):
        stub.answer = lambda *_, status=status: Reply(b'{"errors": []}', status, whole)
        judge(driver)


def test_any_damage(driver: Driver, stub: Stub) -> None:
    """Good answers of which a part is something else."""

    @(FUZZ_SLOW if driver.slow else FUZZ)
    @given(st.lists(DAMAGE, min_size=1, max_size=4))
    def run(damages: list[list[tuple[int, object]]]) -> None:
        turns = itertools.cycle(damages)
        stub.answer = lambda method, path: Reply(
            dumped(damaged(driver.good(method, path), next(turns)))
        )
        judge(driver)

    run()


def test_any_json(driver: Driver, stub: Stub) -> None:
    """Any JSON with the right names in it, and any status."""
    any_json = json_with(driver.names)

    @(FUZZ_SLOW if driver.slow else FUZZ)
    @given(st.lists(st.tuples(any_json, st.sampled_from(STATUSES)), min_size=1, max_size=4))
    def run(replies: list[tuple[object, int]]) -> None:
        turns = itertools.cycle(replies)

        def answer(*_: str) -> Reply:
            body, status = next(turns)
            return Reply(dumped(body), status)

        stub.answer = answer
        judge(driver)

    run()


def test_a_server_that_repeats_what_it_is_sent(driver: Driver, stub: Stub) -> None:
    """Our secrets come back in errors, whole, in pieces and encoded: nothing of them is told."""
    for repeat in (str, lambda text: text[:-4], lambda text: f"//u:{text}@h", quote, packed, hexed):

        def answer(method: str, path: str, repeat: Callable[[str], str] = repeat) -> Reply:
            words = [repeat(text) for text in stub.received]
            if method == "GET" and "lookup-self" not in path:
                return Reply(dumped(driver.good(method, path)))
            reported = " ".join(words)
            document = {"errors": words, "message": reported, "error": reported, "__type": reported}
            return Reply(dumped(document), 400)

        stub.answer = answer
        judge(driver)


def packed(text: str) -> str:
    """Return the text in base64, with something before it."""
    return base64.b64encode(f"x {text}".encode()).decode()


def hexed(text: str) -> str:
    """Return the text's bytes in hexadecimal digits."""
    return text.encode().hex()
