"""Reading challenges."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.http.client import HEADER_LIMIT
from rotator.registry.verdict import Challenge, challenges

CHALLENGES = {
    "nothing": ("", []),
    "basic": ('Basic realm="r"', [("basic", {"realm": "r"})]),
    "any case": ('bASIC Realm="R"', [("basic", {"realm": "R"})]),
    "no realm": ("Basic", [("basic", {})]),
    "bearer": (
        'Bearer realm="https://a/token",service="s",scope="repository:a:pull,push"',
        [
            (
                "bearer",
                {"realm": "https://a/token", "service": "s", "scope": "repository:a:pull,push"},
            )
        ],
    ),
    "two in one": (
        'Bearer realm="https://a", Basic realm="b"',
        [("bearer", {"realm": "https://a"}), ("basic", {"realm": "b"})],
    ),
    "unquoted": (
        "Bearer realm=https://a,service=s",
        [("bearer", {"realm": "https://a", "service": "s"})],
    ),
    "escaped": (r'Basic realm="a\"b\\c"', [("basic", {"realm": 'a"b\\c'})]),
    "comma in quotes": ('Basic realm="a, b", x=y', [("basic", {"realm": "a, b", "x": "y"})]),
    "spaces": ('  Basic   realm = "r" ', [("basic", {"realm": "r"})]),
    "twice": ('Bearer realm="https://a",realm="https://b"', [("bearer", {"realm": "https://a"})]),
    "parameter first": ('realm="a", Basic', [("basic", {})]),
    "others": (
        'Negotiate abc, Digest nonce="n", Basic realm="r"',
        [("negotiate", {}), ("abc", {}), ("digest", {"nonce": "n"}), ("basic", {"realm": "r"})],
    ),
    "unclosed quote": ('Basic realm="abc', [("basic", {"realm": ""}), ("abc", {})]),
    "garbage": ("\x00\xff(((", []),
}


@pytest.mark.parametrize(("header", "expected"), CHALLENGES.values(), ids=CHALLENGES)
def test_reads_challenges(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    """A header is read as the standard has it, and what is none gives no challenge."""
    assert challenges(header) == [Challenge(*one) for one in expected]


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=8192))
def test_reads_any_header(header: str) -> None:
    """No header breaks the reader, and it finds no more than eight challenges."""
    assert len(challenges(header)) <= 8


@pytest.mark.parametrize(
    "unit", ['"', "\\", "a=", 'a="', " ", ",", "a ", '\\"', "= ", 'a="\\', "a, "]
)
def test_reads_hostile_headers_quickly(unit: str) -> None:
    """A header made to send the reader back and forth is read in no time."""
    began = time.process_time()
    challenges((unit * HEADER_LIMIT)[:HEADER_LIMIT])
    assert time.process_time() - began < 0.2


@given(realm=st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40))
def test_reads_back_any_quoted_realm(realm: str) -> None:
    """A realm that is quoted as the standard says comes out as it went in."""
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    found = challenges(f'Bearer realm="{quoted}", service="s"')
    assert found == [Challenge("bearer", {"realm": realm, "service": "s"})]
