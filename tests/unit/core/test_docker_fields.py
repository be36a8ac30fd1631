"""The fields that Docker knows: what fits their types, as Go decodes it."""

from __future__ import annotations

from typing import Any

import pytest

from rotator.core.docker_fields import CONTAINERS_ENTRY, ENTRY, FIELDS, Members, folded, misfit


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_judged_by_its_type(name: str) -> None:
    """A number fits none of them, in any case of the letters; null fits all."""
    for spelt in (name, name.upper()):
        assert misfit(spelt, 1)
        assert misfit(spelt, None) is None
    assert misfit("another", 1) is None


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("psFormat", "x", None),
        ("psFormat", {}, "a string"),
        ("HttpHeaders", {"X": "y", "Z": None}, None),
        ("HttpHeaders", {"X": 1}, "an object of strings"),
        ("HttpHeaders", [], "an object of strings"),
        ("pruneFilters", ["a", None], None),
        ("pruneFilters", [1], "a list of strings"),
        ("pruneFilters", "a", "a list of strings"),
        ("plugins", {"a": {"b": "c"}}, None),
        ("plugins", {"a": "b"}, "an object of objects"),
        ("proxies", {"default": {"httpProxy": "x", "other": 1}}, None),
        ("proxies", {"default": {"httpProxy": 1}}, "an object of objects"),
        ("proxies", {"default": "x"}, "an object of objects"),
        ("auths", {"a": {"auth": "x"}, "b": None}, None),
        ("auths", {"a": {"Auth": 1}}, "an object of objects"),
        ("\u017ftatsFormat", 1, "a string"),
    ],
)
def test_values(name: str, value: Any, wanted: str | None) -> None:
    """What Go decodes, and the type that it names elsewhere."""
    assert misfit(name, value) == wanted


def test_entries() -> None:
    """A struct is its fields: others may have any type, in either form of an object."""
    pairs = (("AUTH", "x"), ("other", 1))
    assert ENTRY.fits(Members(pairs))
    assert not ENTRY.fits(Members((*pairs, ("email", 1))))
    assert CONTAINERS_ENTRY.fits({"email": 1})
    assert not ENTRY.fits("x")
    assert str(ENTRY) == "an object"
    assert folded("\u212aEY") == "key"
