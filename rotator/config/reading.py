"""Reads the settings in a document, and reports everything that is wrong with it, by key.

msgspec makes the settings, but would stop at the first mistake and repeat what may be a secret. So
it is asked only about mappings in which each value is right by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

import msgspec

from rotator.config.explain import (
    EMPTY,
    LIST,
    MAPPING,
    Part,
    Problem,
    about,
    one_of,
    refuse_variable,
    wrong_keys,
)
from rotator.config.settings import Settings
from rotator.config.types import EACH_ONCE
from rotator.decoding import convert

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path as FilePath

    from rotator.config.explain import Path

WRONG: Final[Any] = object()


class Reading:
    """What one document holds, right or wrong; `base`: where relative paths in it begin."""

    def __init__(self, base: FilePath | None = None) -> None:
        self._base = base
        self.parts: dict[Path, Part] = {}
        self.right: dict[Path, Any] = {}
        self.problems: list[Problem] = []

    def read(self, kind: Any, value: Any, path: Path = ()) -> Any:
        """Return what a key's type makes of the value at a path, or `WRONG`."""
        made = self._made(kind, value, path)
        if made is not WRONG:
            self.right[path] = made
        return made

    def _made(self, kind: Any, value: Any, path: Path) -> Any:  # noqa: PLR0911  a kind of type a case
        bare, note = get_args(kind) if get_origin(kind) is Annotated else (kind, None)
        origin, parts = get_origin(bare), get_args(bare)
        if NoneType in parts:
            return None if value is None else self._made(parts[0], value, path)
        if origin is tuple:
            return self._items(parts[0], note, value, path)
        if origin is Mapping:
            return self._texts(parts, note, value, path)
        if origin in (Union, UnionType):
            return self._tagged(parts, value, path)
        if isinstance(bare, type) and issubclass(bare, Settings):
            return self._mapping(bare, value, path)
        try:
            refuse_variable(value)
            return note.read(value, self._base) if note else convert(value, bare)
        except msgspec.ValidationError:
            return self._wrong(path, one_of(parts or list(bare), value))
        except ValueError as error:
            return self._wrong(path, str(error))

    def _wrong(self, path: Path, message: str) -> Any:
        self.problems.append(about(path, message))
        return WRONG

    def _items(self, kind: Any, note: Any, value: Any, path: Path) -> Any:
        if not isinstance(value, list):
            return self._wrong(path, LIST)
        if note and not value:
            return self._wrong(path, EMPTY)
        made = tuple(self.read(kind, item, (*path, n)) for n, item in enumerate(value))
        if WRONG in made:
            return WRONG
        if note is EACH_ONCE:
            for n, one in enumerate(made):
                if one in made[:n]:
                    return self._wrong(path, f"`{one}` is there twice")
        return made

    def _texts(self, kinds: tuple[Any, Any], note: Any, value: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            return self._wrong(path, MAPPING)
        if note and not value:
            return self._wrong(path, EMPTY)
        made: dict[str, Any] = {}
        before = len(self.problems)
        for key, text in value.items():
            name, value_note = (get_args(kind)[1] for kind in kinds)
            try:
                name.read(key, None)
            except ValueError as error:
                self.problems.append(Problem((*path, key), f"this key: {error}", at_key=True))
            try:
                # A variable may be meant here: the text is for another program.
                made[key] = value_note.read(text, None)
            except ValueError as error:
                made[key] = self._wrong((*path, key), str(error))
        return made if len(self.problems) == before else WRONG

    def _tagged(self, kinds: Iterable[type[Settings]], value: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            return self._wrong(path, MAPPING)
        known = {str(kind.__struct_config__.tag): kind for kind in kinds}
        tag = next(iter(known.values())).__struct_config__.tag_field or ""
        if tag not in value:
            message = f"`{tag}` is missing, which says what kind this is"
            self.problems.append(Problem(path, message))
            return WRONG
        word = value[tag]
        if not isinstance(word, str) or word not in known:
            return self._wrong((*path, tag), one_of(known, word))
        return self._mapping(known[word], value, path)

    def _mapping(self, settings: type[Settings], data: Any, path: Path) -> Any:
        if not isinstance(data, dict):
            return self._wrong(path, MAPPING)
        part = self.parts[path] = Part(path, settings, data)
        values = {
            name: self.read(key.type, data[name], (*path, name))
            for name, key in settings.keys().items()
            if name in data
        }
        wrong = wrong_keys(part, self.parts[()].settings)
        self.problems += wrong
        if wrong or WRONG in values.values():
            return WRONG
        return convert(values, settings)
