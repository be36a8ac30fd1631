"""The examples in config/ are right, and the reference names every key with its default."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rotator.config.json_schema import json_schema
from rotator.config.load import load

CONFIG = Path(__file__).parents[3] / "config"
EXAMPLES = sorted(CONFIG.glob("*.yaml"))
REFERENCE = (CONFIG / "rotator.yaml").read_text()
SCHEMA = json_schema()
MAPPINGS = {"Configuration": SCHEMA, **SCHEMA["$defs"]}
KEYS = {
    f"{mapping}.{key}": value.get("default")
    for mapping, schema in MAPPINGS.items()
    for key, value in schema.get("properties", {}).items()
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_loads(path: Path) -> None:
    """Every example is right as it stands."""
    assert load(path, {}).rotations


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_explains_itself(path: Path) -> None:
    """Every example begins with what it is for."""
    assert path.read_text().startswith("# ")


@pytest.mark.parametrize("key", KEYS)
def test_the_reference_has_every_key(key: str) -> None:
    """Each key stands in the reference, with its default where it has a plain one."""
    name, default = key.partition(".")[2], KEYS[key]
    value = ""
    if default is not None:
        text = str(default).lower() if isinstance(default, bool) else str(default)
        value = rf'"?{re.escape(text)}"?(?=[\s,}}])'
    assert re.search(rf"(^|[\s{{(]){name}: *{value}", REFERENCE, re.MULTILINE)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_described(key: str) -> None:
    """An editor can show what each key is for."""
    mapping, _, name = key.partition(".")
    shown = MAPPINGS[mapping]["properties"][name]
    assert "description" in shown or "const" in shown or "$ref" in shown


def test_no_sdk_is_imported() -> None:
    """Reading the configuration loads no SDK, whatever it names."""
    program = (
        "import sys, pathlib; from rotator.config.load import load;"
        f"load(pathlib.Path({str(CONFIG / 'rotator.yaml')!r}), {{}});"
        "print([name for name in ('boto3', 'botocore', 'hvac', 'gitlab', 'requests',"
        " 'structlog', 'rich', 'apscheduler', 'jsonschema') if name in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=CONFIG.parent,
    )
    assert ended.stdout == "[]\n"
