"""The mark in a variable's description: for people to read and for rotators to read back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rotator.core.model import Mark
from rotator.gitlab.mark import LIMIT, describe, parse
from tests.support import NOW

FINGERPRINT = "hmac:3f9a2c41d7e0"
LATER = NOW + timedelta(hours=12)

NAMES = st.from_regex(
    r"[a-z0-9]([a-z0-9.-]{0,60}[a-z0-9])?(:[0-9]{2,5})?(/[a-z]{1,9})?", fullmatch=True
)
ENDS = st.none() | st.timedeltas(timedelta(days=-999), timedelta(days=99_999)).map(NOW.__add__)
MARKS = st.tuples(
    st.dictionaries(NAMES | st.just("https://index.docker.io/v1/"), ENDS, max_size=12),
    st.from_regex(r"hmac:[0-9a-f]{12}", fullmatch=True),
    st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True),
).map(lambda parts: Mark(*parts))


def test_reads_well() -> None:
    """A person sees who keeps it, until when, for which registries, and how many did not fit."""
    ends = {
        "b.example.com": NOW,
        "a.example.com": NOW,
        "c.example.com": LATER,
        "d.example.com": None,
    }
    assert describe(Mark(ends, FINGERPRINT, "dind")) == (
        "Kept fresh by rotator (dind) until 2026-11-23T10:00:00Z: a.example.com, b.example.com; "
        "until 2026-11-23T22:00:00Z: c.example.com; without a known end: d.example.com; "
        "mark hmac:3f9a2c41d7e0"
    )


def test_registries_go_in_a_known_order() -> None:
    """Without room the endless go first, then what ends last, and they are counted."""
    ends = {f"{n}2345678901.dkr.ecr.eu-west-1.amazonaws.com": LATER for n in range(9)}
    text = describe(
        Mark({"harbor.example.com": None, "z.example.com": NOW, **ends}, FINGERPRINT, "r")
    )
    assert text.startswith("Kept fresh by rotator (r) until 2026-11-23T10:00:00Z: z.example.com;")
    assert "; and 8 more; mark hmac:" in text
    assert "harbor" not in text


@given(MARKS)
def test_round_trip(mark: Mark) -> None:
    """Whatever fits is read back as it was, in 255 characters; what does not is unknown."""
    text = describe(mark)
    read = parse(text)
    assert len(text) <= LIMIT
    assert read is not None
    assert (read.fingerprint, read.rotation) == (mark.fingerprint, mark.rotation)
    assert read.expires.items() <= mark.expires.items()
    assert read.is_whole == (" more;" not in text)
    if read.is_whole:
        assert read == mark


@given(MARKS)
def test_stable(mark: Mark) -> None:
    """Writing what was read changes nothing, so two rotators do not rewrite it for ever."""
    read = parse(describe(mark))
    assert read is not None
    again = parse(describe(read))
    assert again == replace(read, is_whole=True)  # of what did not fit nothing is known any more


@given(st.text(max_size=LIMIT))
def test_any_text_is_read(text: str) -> None:
    """No description makes the reader fail."""
    assert parse(text) is None or "rotator" in text
    parse(f"Kept fresh by rotator (dind) {text}")


FOREIGN = [
    pytest.param(None, id="none"),
    pytest.param("", id="empty"),
    pytest.param("Registry login for CI. Ask Ops.", id="a person's"),
    pytest.param("Not kept fresh by rotator (dind)", id="mentions it"),
]


@pytest.mark.parametrize("text", FOREIGN)
def test_other_texts_are_no_mark(text: str | None) -> None:
    """Only a sentence that begins as ours is ours."""
    assert parse(text) is None


EDITED = [
    pytest.param(
        "Kept fresh by rotator (dind) until 2026-11-23T10:00:00Z: a; mark hmac:1 - don't touch!",
        Mark({"a": NOW}, "hmac:1", "dind"),
        id="words added",
    ),
    pytest.param("Kept fresh by rotator (dind)", Mark({}, "", "dind"), id="cut short"),
    pytest.param(
        "  Kept fresh by rotator (dind) until soon: a; until 2026-11-23T12:00:00+02:00:b,c",
        Mark({}, "", "dind"),
        id="garbled",
    ),
    pytest.param(
        "Kept fresh by rotator (dind) until 2026-11-23T12:00:00+02:00: b,c ;mark hmac:1",
        Mark({"b": NOW, "c": NOW}, "hmac:1", "dind"),
        id="other spacing",
    ),
    pytest.param(
        "Kept fresh by rotator (dind) until 2026-11-23 10:00: b",
        Mark({"b": NOW}, "", "dind"),
        id="no zone: UTC",
    ),
]


@pytest.mark.parametrize(("text", "mark"), EDITED)
def test_forgives_people(text: str, mark: Mark) -> None:
    """What can be read of an edited mark is read."""
    assert parse(text) == mark
