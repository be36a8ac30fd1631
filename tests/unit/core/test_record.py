"""The record: it comes back as it went, and what is no record is said to be none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rotator.core.candidate import FOREVER
from rotator.core.model import Lease
from rotator.core.record import (
    VERSION,
    FailureRecord,
    KnownCredential,
    Record,
    RecordError,
    RetiredLease,
    SourceRecord,
    TargetRecord,
)
from tests.support import NOW
from tests.unit.core.builders import HOST

times = st.just(FOREVER) | st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001  the strategy adds the zone
    timezones=st.just(UTC),
)
perhaps = st.none() | times
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
leases = st.builds(Lease, words, times, st.booleans())
troubles = st.builds(
    FailureRecord, st.integers(0, 10**9), words, words, words, times, times, st.booleans(),
    st.none() | words,
)  # fmt: skip
known = st.builds(
    KnownCredential, words, words, times, perhaps, perhaps, st.none() | leases, st.booleans()
)
sources = st.builds(
    SourceRecord,
    st.lists(words, max_size=2).map(tuple),
    perhaps,
    perhaps,
    perhaps,
    st.none() | troubles,
)
targets = st.builds(
    TargetRecord,
    st.lists(words, max_size=2).map(tuple),
    perhaps,
    words,
    perhaps,
    st.none() | troubles,
)
records = st.builds(
    Record,
    credentials=st.dictionaries(words, st.lists(known, max_size=2).map(tuple), max_size=2),
    sources=st.dictionaries(words, sources, max_size=2),
    targets=st.dictionaries(words, targets, max_size=2),
    retired=st.lists(st.builds(RetiredLease, words, leases, times), max_size=2).map(tuple),
    outcome=words,
    started_at=perhaps,
    ended_at=perhaps,
    succeeded_at=perhaps,
    next_at=perhaps,
    safe_until=perhaps,
    job_safe=st.booleans(),
)


@settings(deadline=None)
@given(records)
def test_a_record_comes_back_as_it_went(record: Record) -> None:
    """Whatever it holds, to the microsecond."""
    assert Record.parse(record.dump()) == record


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        '{"version": "x"}',
        '{"credentials": []}',
        '{"next_at": "soon"}',
        '{"next_at": "2026-11-23T19:00:00"}',
        '{"retired": [{"lease": {"expires_at": "2026-11-23T19:00:00"}}]}',
        pytest.param('{"outcome": "\ud800"}', id="half a character"),
        pytest.param('{"x": ' + "[" * 100_000, id="deep"),
    ],
)
def test_what_is_no_record_is_said_to_be_none(text: str) -> None:
    """A damaged journal is told from an empty one, and nothing of it is quoted."""
    with pytest.raises(RecordError) as caught:
        Record.parse(text)
    assert "soon" not in str(caught.value)


def test_a_newer_record_is_not_guessed_at() -> None:
    """After a downgrade the old version does not act on what it may misread."""
    newer = replace(Record(), version=VERSION + 1).dump()
    with pytest.raises(RecordError, match="newer"):
        Record.parse(newer)


def test_a_record_tells_what_it_does_not_know() -> None:
    """Unknown sources and targets are empty, unknown credentials are none."""
    mine = KnownCredential("hmac:1", "vault", NOW, None, None)
    record = replace(Record(), credentials={HOST: (mine,)})
    assert record.source("vault") == SourceRecord()
    assert record.target("file") == TargetRecord()
    assert record.known(HOST, "hmac:1") == mine
    assert record.known(HOST, "hmac:2") is None
    assert record.known("elsewhere", "hmac:1") is None
