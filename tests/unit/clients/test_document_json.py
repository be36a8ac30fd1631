"""JSON as Go's decoder reads it."""

from __future__ import annotations

import pytest

from rotator.clients.document import NotJsonError, read
from rotator.core.docker_fields import folded


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"auths": NaN}', "it is not JSON"),
        ('{"auths": {"s3cr3t-host"', "it is not JSON (line 1)"),
        ("\n\n{]", "it is not JSON (line 3)"),
        ("\ufeff{}", "byte order mark"),
    ],
    ids=["deep", "no constant of JSON", "cut off", "a line further down", "byte order mark"],
)
def test_what_is_no_json(text: str, why: str) -> None:
    """The message says where, and repeats nothing of the text."""
    with pytest.raises(NotJsonError) as caught:
        read(text)
    assert why in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "empty", "trailing", "several"),
    [
        (" \n", True, False, False),
        ("{}\n", False, False, False),
        ("{} {}", False, True, True),
        ("{}]", False, True, False),
    ],
)
def test_what_follows(text: str, *, empty: bool, trailing: bool, several: bool) -> None:
    """Some programs refuse a second value, and some any other text."""
    found = read(text)
    assert (found.empty, found.trailing, found.several) == (empty, trailing, several)


def test_names_fold_as_in_go() -> None:
    """A field's name counts in any case of its letters."""
    assert folded("AUTH\u017f") == "auths"
    assert folded("\u212aey") == "key"
