"""What all parts of a configuration have in common.

A class of settings has a line for each key: its type, its default where it has one, and a text
below it that says what it is for. It is a `Struct` of msgspec, and its `tag` says which kind a
mapping is (`type: file`). Its module must not postpone annotations (`from __future__`), as they are
read at run time.

A rule is what one key of a mapping says about another: said once, checked by us and by editors. It
takes the keys as they are in the file, not at validated settings, so that it can be checked while
other keys are still wrong. A key that is null counts as left out.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, dataclass_transform, get_args

from msgspec import NODEFAULT, Struct
from msgspec.structs import fields, force_setattr

from rotator.system.secret_input import is_from_systemd


class Broken(NamedTuple):
    """A rule that does not hold: the `key` to point at, and those `missing` to repair it."""

    key: str | None
    message: str
    missing: tuple[str, ...] = ()


class OneOf(Struct, frozen=True):
    """At most one of these keys may be there; exactly one where `required`."""

    keys: tuple[str, ...]
    required: bool = True

    def broken(self, given: Mapping[str, Any]) -> Iterator[Broken]:
        """Yield what is wrong with a mapping's keys."""
        there = [key for key in self.keys if given.get(key) is not None]
        if len(there) > 1:
            yield Broken(there[1], f"{names(there, 'and')} exclude each other; keep one of them")
        if not there and self.required:
            yield Broken(None, f"{names(self.keys, 'or')} is missing", self.keys)

    def json_schema(self) -> dict[str, Any]:
        """Return the same rule as JSON Schema."""
        one = [_present(key) for key in self.keys]
        none = {"not": {"anyOf": one}}
        return {"oneOf": one if self.required else [*one, none]}


class When(Struct, frozen=True):
    """While `key` has one of `values` (None: any), `needs` must be there and `forbids` must not.

    `by_default`: the condition also holds where the key is left out.
    """

    key: str
    values: tuple[str, ...] | None = None
    needs: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    by_default: bool = False
    hint: str = ""

    def broken(self, given: Mapping[str, Any]) -> Iterator[Broken]:
        """Yield what is wrong with a mapping's keys."""
        value = given.get(self.key)
        holds = self.by_default if value is None else self.values is None or value in self.values
        if not holds:
            return
        hint = f"; {self.hint}" if self.hint else ""
        says = f"`{self.key}: {value}`" if self.values and value is not None else f"`{self.key}`"
        for key in self.needs:
            if given.get(key) is None:
                yield Broken(self.key, f"{says} needs `{key}`{hint}", (key,))
        for key in self.forbids:
            if given.get(key) is not None:
                unless = f"without {says}" if value is None else f"with {says}"
                yield Broken(key, f"`{key}` has no effect {unless}{hint}")

    def json_schema(self) -> dict[str, Any]:
        """Return the same rule as JSON Schema."""
        condition: dict[str, Any] = {} if self.by_default else _present(self.key)
        if self.values is not None:
            condition = {**condition, "properties": {self.key: {"enum": list(self.values)}}}
        then: list[dict[str, Any]] = [_present(key) for key in self.needs]
        then += [{"not": _present(key)} for key in self.forbids]
        return {"if": condition, "then": {"allOf": then}}


Rule = OneOf | When


def names(keys: tuple[str, ...] | list[str], joined_by: str) -> str:
    """Return keys as they are written in a sentence: `a`, `b` and `c`."""
    quoted = [f"`{key}`" for key in keys]
    return f" {joined_by} ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))


def _present(key: str) -> dict[str, Any]:
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


class Key(NamedTuple):
    """What a key's line says: its type, and its default or `NODEFAULT`."""

    type: Any
    default: Any = NODEFAULT

    @property
    def required(self) -> bool:
        """Whether the key has no default."""
        return self.default is NODEFAULT

    @property
    def nested(self) -> "type[Settings] | None":
        """The settings that the key holds, where no tag decides which."""
        kind = self.type
        while parts := get_args(kind):
            kind = parts[0]
        if isinstance(kind, type) and issubclass(kind, Settings):
            return None if kind.__struct_config__.tag else kind
        return None


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all parts have in common: unchangeable, no unknown key.

    `RULES` are what one key says about another. They are not checked here but by `crosscheck`,
    over the file's own keys, so that all mistakes are reported together. `CALLED`:
    what a mapping is called where its key doesn't say it.
    """

    RULES: ClassVar[tuple[Rule, ...]] = ()
    CALLED: ClassVar[str] = ""

    @property
    def type(self) -> str:
        """What the mapping's tag says."""
        return str(self.__struct_config__.tag)

    @classmethod
    @cache
    def keys(cls) -> Mapping[str, Key]:
        """Return the keys of a mapping with these settings, its tag first.

        What begins with `_` is no key: the loader fills it in.
        """
        config = cls.__struct_config__
        tag = {config.tag_field: Key(Literal[config.tag], config.tag)} if config.tag_field else {}
        own = [field for field in fields(cls) if not field.name.startswith("_")]
        return {**tag, **{field.name: Key(field.type, field.default) for field in own}}

    @classmethod
    def rules(cls) -> list[Rule]:
        """Return the rules of a class and of those that it builds on."""
        return [rule for kind in cls.__mro__ for rule in vars(kind).get("RULES", ())]

    def fill(self, key: str, value: object) -> None:
        """Give a key that was left out its value, while the settings are being made."""
        if getattr(self, key) in (None, ""):
            force_setattr(self, key, value)


def spelled(settings: Struct) -> str:
    """Return settings as a text that is the same for the same ones, also in the next version.

    What has its default is not in it: new keys change nothing. Nor is the directory of credentials
    that systemd makes for each unit: the daemon's is not that of a command of root.
    """
    values = [
        (one.name, getattr(settings, one.name))
        for one in fields(settings)
        if getattr(settings, one.name) != one.default
    ]
    texts = (f"{name}={_spelled_value(value)}" for name, value in values)
    return f"{type(settings).__name__}({', '.join(texts)})"


def _spelled_value(value: object) -> str:
    if isinstance(value, Struct):
        return spelled(value)
    if isinstance(value, Path) and is_from_systemd(value):
        return repr(value.name)
    return repr(value)


def digest(text: str) -> str:
    """Return what the journal holds of a text, to notice that it changed."""
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]
