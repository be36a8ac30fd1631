"""Texts that are no YAML, or YAML of which too much is made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import asdict

from tests.unit.config.documents import document

if TYPE_CHECKING:
    from tests.unit.config.conftest import Loaded, Problems

TOP = document()
NESTED = "nested: " + "[" * 5000
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {k: x}\n" + "".join(
    f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)

BROKEN = {
    "tab": ("version: 1\n\tx: y\n", "2:1: is not YAML: there is a tab; indent with spaces"),
    "two colons": (
        "version: 1\nhttp: listen: x\n",
        (
            "2:13: is not YAML: a second `: ` in one line (a value that holds"
            " one needs quotes), or a key"
            " that is indented wrongly"
        ),
    ),
    "star": (
        "remove: *.example.com\n",
        "1:10: is not YAML: a value that begins with * or & needs quotes around it",
    ),
    "star that is no alias": (
        "a: *b\n",
        "1:4: is not YAML: a value that begins with * or & needs quotes around it",
    ),
    "percent": (
        "a: %x\n",
        "1:4: is not YAML: a value that begins with @, ` or % needs quotes around it",
    ),
    "indented": (
        "a:\n  b: 1\n c: 2\n",
        "3:2: is not YAML: this line is indented differently from those before it",
    ),
    "colon missing": (
        "a: 1\nbc\nd: 1\n",
        "3:1: is not YAML: a `key: value` is wanted; the colon is missing",
    ),
    "quotes open": ("a: 'b\n", "2:1: is not YAML: quotes or brackets are not closed"),
    "bracket open": ("a: [b", "1:6: is not YAML: expected ',' or ']', but got '<stream end>'"),
    "backslash": (
        'a: "C:\\docker"\n',
        "1:8: is not YAML: a backslash in double quotes; use single quotes",
    ),
    "two documents": (
        "a: 1\n---\nb: 2\n",
        "2:1: is not YAML: there is a second document after `---`; keep one",
    ),
    "no directive": ("%TAG x\n---\n", "1:6: is not YAML: expected '!', but found 'x'"),
    "not UTF-8": (b"a: 1\nb: \xff\n", "2:4: is not a text in UTF-8"),
    "control character": ("a: 1\nb: \x07\n", "2:4: has a control character"),
    "key that is a list": ("[a]: 1\n", "1:1: a key must be a word"),
    "empty key": ("'': 1\n", "1:1: a key must be a word"),
    "merging a word": ("a: {<<: b}\n", "1:9: `<<` takes the alias of a mapping"),
    "merging a list of words": ("a: {<<: [b]}\n", "1:10: `<<` takes the alias of a mapping"),
    "alias in itself": ("a: &a [*a]\n", "1:4: an alias is inside of what it stands for"),
    "mapping that merges itself": (
        "a: &a {<<: *a}\n",
        "1:4: an alias is inside of what it stands for",
    ),
    "too deep": (NESTED, "1:48: it is nested more than 40 deep"),
    "aliases that explode": (BOMB, "1:14: there are more than 10000 values"),
    "merges that explode": (MERGES, "1:4: there are more than 10000 values"),
    "too large": ("#" * 300_000, "1:1: is larger than 256 KiB"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_texts(case: str, reported: Problems) -> None:
    """A text that can't be understood is one error that says where and what to do."""
    text, expected = BROKEN[case]
    assert reported(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("- " * 120_000, id="lists in lists"),
        pytest.param("? " * 120_000, id="keys in keys"),
        pytest.param("{" * 250_000, id="mappings in mappings"),
        pytest.param("a: [" + "x, " * 80_000 + "]", id="long list"),
        pytest.param("".join(f"k{n}: &a{n} x\n" for n in range(15_000)), id="many keys"),
        pytest.param("a: " + "x " * 120_000, id="long value"),
        pytest.param("\n" * 250_000, id="empty lines"),
        pytest.param("a: 1\n" * 50_000, id="one key, many times"),
        pytest.param("- *a\n" * 50_000, id="aliases of nothing"),
        pytest.param("a: !" + "x" * 250_000, id="long tag"),
    ],
)
def test_large_texts_take_no_more_than_seconds(text: str, reported: Problems) -> None:
    """Nothing below the largest size makes the loader hang."""
    begun = time.monotonic()
    assert reported(text)
    assert time.monotonic() - begun < 30


def test_duplicate_keys(reported: Problems) -> None:
    """A key that is there twice is told with both its places, beside other mistakes."""
    assert reported(TOP + "version: 2\nlog: {level: x, level: info}\n") == [
        "10:1: `version` is there twice, first in line 1; keep one",
        "11:14: `level`: `debug`, `info`, `warning` or `error` is wanted, not `x`",
        "11:17: `level` is there twice, first in line 11; keep one",
    ]


def test_tags(reported: Problems) -> None:
    """Tags of other programs are not taken for values."""
    assert reported(TOP.replace("/f", "!vault s3cr3t-1")) == [
        "9:24: YAML tags are not known here; leave it out",
        "9:24: `path`: an absolute path is wanted, one that begins with /",
    ]


def test_aliases_and_merge_keys(loaded: Loaded) -> None:
    """Anchors, aliases and merge keys work; a key of one's own goes before a merged one."""
    text = document(
        sources=(
            (
                "&a {type: vault, address: https://v, auth: &l {method: aws},"
                " path: s/x, registry: a.io}"
            ),
            "{<<: *a, registry: b.io}",
            "{<<: [{registry: c.io}, *a], path: s/y}",
            "{type: vault, address: https://w, auth: *l, path: s/z, registry: d.io}",
        )
    )
    sources = [asdict(source) for source in loaded(text).rotations[0].sources]
    assert [(s["registry"], s["path"], s["address"]) for s in sources] == [
        ("a.io", "s/x", "https://v"),
        ("b.io", "s/x", "https://v"),
        ("c.io", "s/y", "https://v"),
        ("d.io", "s/z", "https://w"),
    ]


def test_mistakes_in_an_alias_are_reported_where_they_are(reported: Problems) -> None:
    """A wrong value that is used twice is told once, where it is written."""
    source = "{type: ecr, region: &r Ireland}"
    other = "{type: ecr, name: other, region: *r}"
    assert reported(document(sources=(source, other))) == [
        "7:25: `region`: an AWS region such as eu-west-1 is wanted"
    ]


def test_byte_order_mark_and_line_ends(loaded: Loaded) -> None:
    """Files as Windows' editors write them are read."""
    assert loaded("\ufeff" + TOP.replace("\n", "\r\n")).version == 1
