"""`rotator schema` and the loader agree on what is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rotator.config.json_schema import json_schema
from rotator.config.load import load
from rotator.core.errors import ConfigError
from tests.unit.config.cases import SHOWN, UNSEEN
from tests.unit.config.values import VALUES
from tests.unit.config.yaml12 import parse

if TYPE_CHECKING:
    from tests.unit.config.conftest import Problems

EXAMPLES = sorted(Path(__file__).parents[3].joinpath("config").glob("*.yaml"))
SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_schema_is_one() -> None:
    """It is valid JSON Schema itself."""
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_right(path: Path) -> None:
    """An editor finds nothing wrong with the examples."""
    assert list(VALIDATOR.iter_errors(parse(path.read_text()))) == []


@pytest.mark.parametrize("case", SHOWN)
def test_what_an_editor_sees(case: str) -> None:
    """What is wrong in one mapping is wrong for an editor too."""
    assert not VALIDATOR.is_valid(parse(SHOWN[case][0]))


@pytest.mark.parametrize("case", UNSEEN)
def test_what_an_editor_can_not_see(case: str) -> None:
    """What is wrong between mappings has no form in JSON Schema; `rotator check` says it."""
    assert VALIDATOR.is_valid(parse(UNSEEN[case][0]))


@pytest.mark.parametrize("case", VALUES, ids=lambda case: case[0])
def test_values(case: tuple[str, str, bool, bool], reported: Problems) -> None:
    """Each kind of value is judged alike, but for what no pattern tells."""
    _, text, right, seen = case
    assert (reported(text) == []) is right
    assert VALIDATOR.is_valid(parse(text)) is (right if seen else not right)


POOL = st.sampled_from(
    [
        None,
        "",
        "x",
        "1",
        "0600",
        "off",
        "true",
        "5m",
        "50%",
        "/f",
        "h.io",
        "https://v",
        "ecr",
        "file",
        "username",
        "strict",
        "kv2",
        "dynamic",
        "Opaque",
        "123456789012",
        [],
        ["docker.io"],
        {},
    ]
)


def _mutate(value: Any, draw: st.DataObject) -> None:
    """Change one value of a document, or rename one of its keys."""
    while isinstance(value, dict | list) and value:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = draw.draw(st.sampled_from(keys))
        if isinstance(value[key], dict | list) and value[key] and draw.draw(st.integers(0, 3)):
            value = value[key]
        elif isinstance(value, dict) and draw.draw(st.booleans()):
            value[draw.draw(st.sampled_from(["", "x_", "name", "registry"])) + str(key)] = (
                value.pop(key)
            )
            return
        else:
            value[key] = draw.draw(POOL)
            return


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(source=st.sampled_from(EXAMPLES), draw=st.data())
def test_what_loads_is_right_for_an_editor(
    source: Path, draw: st.DataObject, tmp_path: Path
) -> None:
    """However an example is changed: what the loader accepts, an editor accepts too."""
    document = parse(source.read_text())
    _mutate(document, draw)
    path = tmp_path / "rotator.yaml"
    path.write_text(json.dumps(document))
    try:
        load(path, {})
    except ConfigError:
        return
    assert [error.message for error in VALIDATOR.iter_errors(parse(path.read_text()))] == []
