"""What an editor with a language server for YAML makes of a configuration and its schema."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator.config.json_schema import FILE, ID, MODELINE, json_schema

if TYPE_CHECKING:
    from tests.servers.yaml_language_server import Editor

pytest_plugins = ["tests.servers.yaml_language_server"]

CONFIG = Path(__file__).parents[2] / "config"
EXAMPLES = sorted(CONFIG.glob("*.yaml"))
BEGIN = f"""{MODELINE}
version: 1
rotations:
  - name: dind
"""


def test_the_schema_beside_the_examples_is_that_of_the_command() -> None:
    """Changed a setting? rotator schema > config/rotator.schema.json."""
    assert json.loads((CONFIG / FILE).read_text()) == json_schema()
    assert json_schema()["$id"] == ID


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples(editor: Editor, example: Path) -> None:
    """The first line names the schema, and with it the editor marks nothing."""
    assert example.read_text().startswith(f"{MODELINE}\n")
    assert editor.complaints(example) == []


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a directory with the schema."""
    shutil.copy(CONFIG / FILE, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("    sources: [{type: ecr, regoin: eu-west-1}]\n    targets: []\n", 5, "regoin"),
        ("    sources: [{type: ecr}]\n    targets: []\n", 5, "region"),
        ("    sources: [{type: ecrr, region: eu-west-1}]\n    targets: []\n", 5, "ecr"),
        ("    sources: [{region: eu-west-1}]\n    targets: []\n", 5, "type"),
        (
            "    sources: [{type: ecr, region: eu-west-1}]\n    targets: [{type: file, path: a}]\n",
            6,
            "pattern",
        ),
    ],
    ids=["misspelt key", "missing key", "misspelt type", "no type", "value"],
)
def test_the_message_names_the_right_key(
    editor: Editor, place: Path, text: str, line: int, words: str
) -> None:
    """It speaks of the kind that is written there, and of no other kind's keys."""
    file = place / "rotator.yaml"
    file.write_text(BEGIN + text)
    said = [message for at, message in editor.complaints(file) if at == line]
    assert any(words in message for message in said), said
    foreign = {"lifetime", "namespace", "secret_type", "address"}
    assert not any(key in message for key in foreign for message in said), said


def test_completion(editor: Editor, place: Path) -> None:
    """The keys of the type that is written there are offered, and no other type's."""
    file = place / "completed.yaml"
    file.write_text(BEGIN + "    sources:\n      - type: ecr\n        \n")
    offered = editor.completions(file, 6, 8)
    assert {"region", "accounts", "role_arn"} <= offered
    assert not {"helper", "address", "docker_config_field"} & offered
