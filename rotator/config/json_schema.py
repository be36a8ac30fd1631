"""The configuration as JSON Schema, for editors: what is accepted, with descriptions and defaults.

JSON Schema has no form for rules between different mappings (names that are unique, one registry
from one source). Rules between the keys of one mapping are in its `RULES`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from rotator.config.schema import Configuration
from rotator.config.settings import Settings
from rotator.config.types import SECONDS, Value

ID = "urn:registry-rotator:configuration:1"  # names the schema; any file may hold it
FILE = "rotator.schema.json"  # its usual file, beside the configuration

MODELINE = f"# yaml-language-server: $schema={FILE}"
"""The first line of a configuration, by which an editor finds the schema."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a configuration file."""
    definitions: dict[str, Any] = {}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "rotator's configuration",
        **_mapping(Configuration, definitions),
        "$defs": definitions,
    }


def _mapping(settings: type[Settings], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a mapping, and add those that it refers to to the definitions."""
    described = _descriptions(settings)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, key in settings.keys().items():
        shown = properties[name] = _value(key.type, definitions)
        if name in described:
            shown["description"] = described[name]
        is_tag = name == settings.__struct_config__.tag_field
        if not is_tag and (written := _written(key.default)) is not None:
            shown["default"] = written
        if is_tag or key.required:
            required.append(name)
    schema: dict[str, Any] = {
        "type": "object",
        "description": inspect.getdoc(settings),
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    if rules := settings.rules():
        schema["allOf"] = [rule.json_schema() for rule in rules]
    return schema


def _value(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:  # noqa: PLR0911  a kind of type a case
    bare, note = get_args(kind) if get_origin(kind) is Annotated else (kind, None)
    origin, parts = get_origin(bare), get_args(bare)
    if isinstance(note, Value):
        return dict(note.schema)
    if NoneType in parts:
        return {"anyOf": [_value(parts[0], definitions), {"type": "null"}]}
    if origin is tuple:
        limits = {"minItems": note.min_length, **(note.extra_json_schema or {})} if note else {}
        return {"type": "array", "items": _value(parts[0], definitions), **limits}
    if origin is Mapping:
        name, text = (_value(part, definitions) for part in parts)
        least = {"minProperties": note.min_length} if note else {}
        texts = {"patternProperties": {name["pattern"]: text}, "additionalProperties": False}
        return {"type": "object", **texts, **least}
    if origin in (Union, UnionType):
        return _tagged(parts, definitions)
    if isinstance(bare, type) and issubclass(bare, Settings):
        return _reference(bare, definitions)
    values = [str(value) for value in parts or bare]
    return {"type": "string", **({"enum": values} if values[1:] else {"const": values[0]})}


def _tagged(kinds: Sequence[type[Settings]], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a mapping whose tag says what kind it is.

    With if/then an editor speaks of the kind that is written there. With `oneOf` it would say that
    none of the kinds fits, and complete the keys of all of them.
    """
    tag = str(kinds[0].__struct_config__.tag_field)
    values = [str(kind.__struct_config__.tag) for kind in kinds]
    return {
        "type": "object",
        "properties": {tag: {"enum": values, "description": "What kind this is."}},
        "required": [tag],
        "allOf": [
            {
                "if": {"properties": {tag: {"const": value}}, "required": [tag]},
                "then": _reference(kind, definitions),
            }
            for value, kind in zip(values, kinds, strict=True)
        ],
    }


def _reference(settings: type[Settings], definitions: dict[str, Any]) -> dict[str, Any]:
    name = settings.__name__
    if name not in definitions:
        definitions[name] = {}  # known from here on, whatever refers to it
        definitions[name] = _mapping(settings, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _written(default: object) -> object:
    """Return a default as it is in a file; None where it is nothing that one would write."""
    if isinstance(default, StrEnum | Path):
        return str(default)
    if isinstance(default, timedelta):
        seconds = int(default.total_seconds())
        size, unit = max((size, unit) for unit, size in SECONDS.items() if seconds % size == 0)
        return f"{seconds // size}{unit}"
    if isinstance(default, float):
        return f"{default:.0%}"
    return default if isinstance(default, bool | str) and default != "" else None


def _descriptions(settings: type[Settings]) -> dict[str, str]:
    """Return the text below each key in the class, or in a class that it builds on."""
    found: dict[str, str] = {}
    for kind in reversed(settings.__mro__):
        if not issubclass(kind, Settings) or kind is Settings:
            continue
        body = ast.parse(inspect.getsource(kind)).body[0].body  # type: ignore[attr-defined]
        for field, text in pairwise(body):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(description))),
                ):
                    found[name] = inspect.cleandoc(description).replace("\n", " ")
    return found
