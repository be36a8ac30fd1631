"""The mark as annotations: there and back, and whatever strangers write there."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.core.mark import EXPIRES, FINGERPRINT, ROTATION, from_annotations, to_annotations
from rotator.core.model import Mark

END = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
GOOD = {EXPIRES: "{}", FINGERPRINT: "hmac:0123456789ab", ROTATION: "dind"}


def test_reads_well() -> None:
    """Ends are RFC 3339 in UTC, keys sorted, no white space."""
    east = END.astimezone(timezone(timedelta(hours=2)))
    mark = Mark({"z.example.com": None, "a.example.com": east}, "hmac:0123456789ab", "dind")
    assert to_annotations(mark) == {
        "rotator/expires": '{"a.example.com":"2026-11-23T22:00:00Z","z.example.com":null}',
        "rotator/fingerprint": "hmac:0123456789ab",
        "rotator/rotation": "dind",
    }


ends = st.none() | st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001  the strategy adds the zone
    timezones=st.just(UTC),
)
names = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(names, ends), names, names)
def test_comes_back_as_it_went(
    expires: dict[str, datetime | None], fingerprint: str, rotation: str
) -> None:
    """Every mark survives the way there and back, fractions of a second included."""
    mark = Mark(expires, fingerprint, rotation)
    assert from_annotations(to_annotations(mark)) == mark


@pytest.mark.parametrize(
    "expires",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        '"text"',
        '{"a": 7}',
        '{"a": "soon"}',
        '{"a": "2026-11-23"}',
        '{"a": "2026-11-23T22:00:00"}',
        '{"a": "0001-01-01T00:00:00+14:00"}',
        '{"a": "9999-12-31T23:59:59-14:00"}',
        '{"\\ud800": null}',
        "[" * 100_000,
        "9" * 10_000,
        None,
        7,
    ],
    ids=lambda text: str(text)[:40],
)
def test_an_end_that_makes_no_sense_is_no_mark(expires: object) -> None:
    """Half a mark could say that a registry has no end: it is none at all."""
    assert from_annotations({**GOOD, EXPIRES: expires}) is None


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_part_that_is_missing_is_no_mark(name: str) -> None:
    """All three texts make a mark."""
    assert from_annotations({key: text for key, text in GOOD.items() if key != name}) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@given(st.fixed_dictionaries(dict.fromkeys(GOOD, json_values | json_values.map(json.dumps))))
def test_never_raises(annotations: dict[str, object]) -> None:
    """Whatever somebody writes there, it is a mark or it is none."""
    found = from_annotations(annotations)
    assert found is None or from_annotations(to_annotations(found)) == found


def test_leaves_other_annotations_alone() -> None:
    """Other people's annotations make no difference."""
    assert from_annotations({**GOOD, "kubectl.kubernetes.io/x": "y"}) == Mark(
        {}, "hmac:0123456789ab", "dind"
    )
