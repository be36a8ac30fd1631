"""What a body says, if it is a value that everything can deal with."""

from __future__ import annotations

from typing import Any

import pytest

from rotator.http.reading import json_in


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
        (b"7", 7),
        ("[" * 200 + "]" * 200, None),
        ("[" * 100_000, None),
        (rb'"\ud800"', None),
        (b"\xff", None),
        (b"", None),
    ],
    ids=["mapping", "number", "deep", "deeper than the stack", "surrogate", "bytes", "nothing"],
)
def test_json(body: bytes | str, value: Any) -> None:
    """None where it is none, is nested too deeply, or holds what is no text."""
    assert json_in(body) == value
