"""One suite over every source: what the core relies on, whatever the driver.

A new line in `rotator.sources.DRIVERS` brings its driver here by itself; its bench is expected in
`tests/contract/TYPE_bench.py`.
"""

from __future__ import annotations

import base64
import inspect
import json
import traceback
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest

from rotator.core.errors import (
    DriverError,
    LoginRejectedError,
    PermanentError,
    Reason,
    TemporaryError,
)
from rotator.sources import DRIVERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rotator.core.model import Secret
    from tests.contract.benches import SourceBench

pytestmark = pytest.mark.parametrize("kind", sorted(DRIVERS))

NewBench = "Callable[[], SourceBench]"


@pytest.fixture
def new_bench(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[], SourceBench]]:
    """Return what makes a bench of this kind; each in a folder of its own, all ended at the end.

    A trouble can't be taken back, so each needs a bench of its own; a fixture would give one.
    """
    name = f"tests.contract.{kind}_bench"
    if find_spec(name) is None:
        pytest.fail(f"the source {kind} has no bench: write tests/contract/{kind}_bench.py")
    make = inspect.unwrap(import_module(name).bench)
    open_ones: list[Any] = []

    def new() -> SourceBench:
        folder = tmp_path / str(len(open_ones))
        folder.mkdir()
        given: dict[str, Any] = {
            parameter: {"request": request, "tmp_path": folder}.get(parameter)
            or request.getfixturevalue(parameter)
            for parameter in inspect.signature(make).parameters
        }
        opened = contextmanager(_yields(make))(**given)
        bench: SourceBench = opened.__enter__()
        open_ones.append(opened)
        return bench

    yield new
    for opened in reversed(open_ones):
        opened.__exit__(None, None, None)


def _yields(make: Callable[..., Any]) -> Callable[..., Iterator[SourceBench]]:
    """Return a generator function, for a bench that is returned rather than yielded."""
    if inspect.isgeneratorfunction(make):
        return make

    def yielding(**given: Any) -> Iterator[SourceBench]:
        yield make(**given)

    return yielding


def test_answers_for_its_registries(kind: str, new_bench: Callable[[], SourceBench]) -> None:
    """A fetch gives one usable credential for each registry, and no other."""
    bench = new_bench()
    source = bench.source()
    credentials = source.fetch([])
    assert sorted(one.registry for one in credentials) == sorted(bench.registries())
    assert all(one.username and one.password for one in credentials)
    assert source.registries in (None, bench.registries())


def test_times_are_aware_and_utc(kind: str, new_bench: Callable[[], SourceBench]) -> None:
    """Every time is aware and in UTC, and a life that has an end has a beginning before it."""
    for one in new_bench().source().fetch([]):
        assert one.issued_at.utcoffset() == timedelta(0)
        if one.expires_at is not None:
            assert one.expires_at.utcoffset() == timedelta(0)
            assert one.expires_at > one.issued_at


def test_building_asks_nobody(kind: str, new_bench: Callable[[], SourceBench]) -> None:
    """Building a source, and looking at its login's stamp, makes no call."""
    bench = new_bench()
    before = bench.calls()
    bench.source().login_stamp()
    assert bench.calls() == before


def test_fetches_again(kind: str, new_bench: Callable[[], SourceBench]) -> None:
    """The same source can be fetched from again and again, with what it gave before in hand."""
    bench = new_bench()
    source = bench.source()
    first = source.fetch([])
    again = source.fetch(first)
    assert {one.registry for one in again} == bench.registries()
    assert {one.registry for one in source.fetch([])} == bench.registries()


def test_calls_do_not_grow(kind: str, new_bench: Callable[[], SourceBench]) -> None:
    """A later fetch makes no more calls than the first: nothing is asked twice."""
    bench = new_bench()
    source = bench.source()
    counts = []
    for _ in range(3):
        before = bench.calls()
        source.fetch([])
        counts.append(bench.calls() - before)
    assert 0 < max(counts[1:]) <= counts[0]


def test_login_stamp_is_stable(kind: str, new_bench: Callable[[], SourceBench]) -> None:
    """While nobody touches the login secret, its stamp stays, over fetches and new processes."""
    bench = new_bench()
    source = bench.source()
    stamp = source.login_stamp()
    source.fetch([])
    assert source.login_stamp() == stamp
    assert bench.source().login_stamp() == stamp


def test_nothing_shows_a_secret(kind: str, new_bench: Callable[[], SourceBench]) -> None:
    """Neither a source nor what it gives prints a secret."""
    bench = new_bench()
    source = bench.source()
    credentials = source.fetch([])
    shown = f"{source!r} {source} {vars(source)} {credentials!r} {source.login_stamp()}"
    assert_silent(shown, (*bench.secrets, *(one.password for one in credentials)))


def test_troubles(
    kind: str, new_bench: Callable[[], SourceBench], subtests: pytest.Subtests
) -> None:
    """Each trouble is reported as what it is, in words, without a secret, after one try."""
    names = list(new_bench().troubles())
    assert names
    for name in names:
        with subtests.test(name):
            check_trouble(new_bench(), name)


def check_trouble(bench: SourceBench, name: str) -> None:
    """Let the bench suffer, and look at what a fetch says of it."""
    healthy = bench.source()
    healthy.fetch([])
    most = bench.calls()
    bring, reason, temporary = bench.troubles()[name]
    bring()
    before = bench.calls()
    source = bench.source()
    with pytest.raises(DriverError) as caught:
        source.fetch([])
    error = caught.value
    assert bench.calls() - before <= most, "it was tried again"
    assert error.reason is reason
    assert isinstance(error, TemporaryError if temporary else PermanentError)
    assert isinstance(error, LoginRejectedError) == (reason is Reason.LOGIN_REJECTED)
    assert len(error.detail) > len("it failed")
    assert len(error.hint) > len("see logs")
    assert "\n" not in error.detail + error.hint
    shown = "".join(traceback.format_exception(error))
    assert_silent(f"{error} {error!r} {error.args} {error.detail} {error.hint}", bench.secrets)
    assert_silent(shown, bench.secrets)


def assert_silent(text: str, secrets: tuple[Secret, ...]) -> None:
    """Fail if a secret is in the text: as it is, in base64, URL-encoded or JSON-escaped."""
    for secret in secrets:
        plain = secret.reveal()
        for form in (
            plain,
            base64.b64encode(plain.encode()).decode().rstrip("="),
            base64.urlsafe_b64encode(plain.encode()).decode().rstrip("="),
            quote(plain, safe=""),
            quote_plus(plain),
            json.dumps(plain)[1:-1],
        ):
            assert form not in text
    assert "s3cr3t-" not in text
