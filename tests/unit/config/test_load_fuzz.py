"""Whatever the file holds, the answer is a configuration or a `ConfigError`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rotator.config.load import load
from rotator.config.schema import Configuration
from rotator.core.errors import ConfigError

if TYPE_CHECKING:
    from tests.unit.config.conftest import Write

EXAMPLES = [
    path.read_bytes()
    for path in sorted(Path(__file__).parents[3].joinpath("config").glob("*.yaml"))
]
TOKENS = [
    "version", "rotations", "name", "sources", "targets", "type", "ecr", "vault", "file", "auth",
    "method", "token", "registry", "registries", "path", "accounts", "schedule", "retry", "remove",
    "content", "[key]", "<<", "&a", "*a", "!x", "null", "~", "1", "off", "0600", "'", '"', "|", ">",
    "{", "}", "[", "]", ",", ": ", ":", "- ", "? ", "#", "\n", "\n  ", "\n    ", "\t", "%", "@",
    "\x00",
]  # fmt: skip
FUZZ = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _judge(path: Path) -> None:
    try:
        loaded: Configuration | ConfigError = load(path, {})
    except ConfigError as error:
        loaded = error
    if isinstance(loaded, Configuration):
        return
    assert loaded.problems
    for problem in loaded.problems:
        assert re.fullmatch(rf"{re.escape(str(path))}:[1-9]\d*:[1-9]\d*: .+", problem)


@FUZZ
@given(st.binary(max_size=300))
@example(b"\xef\xbb\xbf")
@example(b"\xff\xfea")
@example(b"{? : 1}")
@example(b"rotations: [{sources: [{type: [a]}, {type: {}}], targets: [{type: ~}]}]")
@example(b"rotations: [{sources: [{type: vault, auth: {method: []}}], name: {}, schedule: []}]")
def test_any_bytes(write: Write, content: bytes) -> None:
    """Bytes at random."""
    _judge(write(content))


@FUZZ
@given(st.lists(st.sampled_from(TOKENS), max_size=60))
def test_any_tokens(write: Write, words: list[str]) -> None:
    """The language's own words in any order."""
    _judge(write("".join(words)))


@FUZZ
@given(st.sampled_from(EXAMPLES), st.data())
def test_any_damage(write: Write, content: bytes, draw: st.DataObject) -> None:
    """Examples with something cut out of them or put into them."""
    start = draw.draw(st.integers(0, len(content)))
    end = draw.draw(st.integers(start, min(len(content), start + 40)))
    word = draw.draw(st.sampled_from(["", *TOKENS]))
    _judge(write(content[:start] + word.encode() + content[end:]))


JSON = st.recursive(
    st.sampled_from([None, "x", "1", "ecr", "file", "vault", "token"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(TOKENS[:20]), inner, max_size=5)
    ),
    max_leaves=30,
)


@FUZZ
@given(st.dictionaries(st.sampled_from(["version", "rotations", "log"]), JSON), JSON)
def test_any_structure(write: Write, document: dict[str, object], rotation: object) -> None:
    """Mappings, lists and words where others are wanted (JSON is YAML too)."""
    document["rotations"] = [rotation, document.get("rotations")]
    _judge(write(json.dumps(document)))
