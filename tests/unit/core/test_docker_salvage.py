"""What can be saved of a docker config that no client can read."""

from __future__ import annotations

import pytest

from rotator.core.docker_salvage import salvage

WHOLE = '{"auths":{"a":{"auth":"YTpi"},"b":{"auth":"YTpi"}},"x":1}'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (WHOLE + "\0\0", {"a", "b"}),
        (WHOLE + " and more", {"a", "b"}),
        ("\ufeff" + WHOLE, {"a", "b"}),
        (WHOLE[:-9], {"a", "b"}),
        (WHOLE[: WHOLE.index('"b"') + 12], {"a"}),
        (WHOLE[: WHOLE.index('"b"')], {"a"}),
        (WHOLE[:12], set()),
        ('{"auths":{"a":{"x":{"y":{}},"z', set()),
        ("{", set()),
    ],
)
def test_what_is_whole_of_a_damaged_document_is_salvaged(text: str, found: set[str]) -> None:
    """Its end is missing, or something follows it, or an editor put a mark before it."""
    salvaged = salvage(text)
    assert salvaged is not None
    assert salvaged.auths.keys() == found


@pytest.mark.parametrize(
    "text",
    [
        '{"auths": {"a": {} "b": {}}}',
        "[]",
        "[MASKED]",
        '{"auths": 7}',
        "7",
        "",
        pytest.param('{"a":' + "[" * 200_000, id="deep"),
    ],
)
def test_other_damage_is_not_guessed_at(text: str) -> None:
    """Nobody knows what its author meant."""
    assert salvage(text) is None


def test_a_bracket_that_is_missing_inside_is_no_missing_end() -> None:
    """A person forgot it: the second entry would be lost in the first one, unsaid."""
    salvaged = salvage('{"auths":{"a":{"auth":"YTpi","b":{"auth":"YTpi"}}}')
    assert salvaged is None or salvaged.auths.keys() == {"a", "b"}
