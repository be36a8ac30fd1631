"""The configuration as JSON Schema, for editors: what is accepted, with descriptions and defaults.

What only holds between different mappings (names that are unique, one registry from one source) has
no form in JSON Schema; what only holds between the keys of one mapping is told by its `RULES`.
"""

from __future__ import annotations

import ast
import inspect
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotator.config.parts import LOGINS, PLAIN, SOURCES, TARGETS
from rotator.config.schema import Configuration, RotationSettings
from rotator.config.types import SECONDS, Settings, rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a configuration file."""
    schema = Configuration.model_json_schema()
    definitions = schema.pop("$defs")
    for settings in _all_settings():
        _complete(definitions[settings.__name__], settings)
    _complete(schema, Configuration)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "rotator's configuration",
        "$defs": definitions,
    }


def _all_settings() -> Iterator[type[Settings]]:
    yield RotationSettings
    for table in (PLAIN, SOURCES, TARGETS, LOGINS):
        yield from table.values()


def _complete(schema: dict[str, Any], settings: type[Settings]) -> None:
    """Add what pydantic doesn't know: descriptions, defaults as one writes them, and rules."""
    described = _descriptions(settings)
    for name, field in settings.model_fields.items():
        shown = schema["properties"][name]
        shown.pop("title", None)
        shown.pop("default", None)
        if "patternProperties" in shown:
            shown["additionalProperties"] = False
        if name in described:
            shown["description"] = described[name]
        if (written := _written(field.default)) is not None:
            shown["default"] = written
    tags = [name for name in ("type", "method") if "const" in schema["properties"].get(name, {})]
    for name in tags:
        schema["properties"][name].pop("default", None)
    schema["required"] = [*tags, *schema.get("required", [])]
    if rules := rules_of(settings):
        schema["allOf"] = [rule.json_schema() for rule in rules]


def _written(default: object) -> object:
    """Return a default as it stands in a file; None where it is nothing that one would write."""
    if isinstance(default, StrEnum | Path):
        return str(default)
    if isinstance(default, bool):
        return default
    if isinstance(default, timedelta):
        return _duration(default)
    if isinstance(default, float):
        return f"{default:.0%}"
    if isinstance(default, int):  # the only number with a default is a file's mode
        return f"{default:04o}"
    return default if isinstance(default, str) and default else None


def _duration(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    unit, size = max(
        ((unit, size) for unit, size in SECONDS.items() if seconds % size == 0),
        key=lambda pair: pair[1],
    )
    return f"{seconds // size}{unit}"


def _descriptions(settings: type[Settings]) -> dict[str, str]:
    """Return the text that stands below each key in the class, or in a class that it builds on."""
    found: dict[str, str] = {}
    for kind in reversed(settings.__mro__):
        if not issubclass(kind, Settings):
            continue
        body = ast.parse(inspect.getsource(kind)).body[0].body  # type: ignore[attr-defined]
        for field, text in pairwise(body):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(words))),
                ):
                    found[name] = inspect.cleandoc(words).replace("\n", " ")
    return found
