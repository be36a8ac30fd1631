"""What all parts of a configuration have in common.

A class of settings has a line for each key: its type, its default where it has one, and below it a
text that tells what it is for. It is a `Struct` of msgspec. Its module must not postpone
annotations (`from __future__`), as they are looked at while it runs.
"""

from collections.abc import Mapping
from functools import cache
from typing import (
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    dataclass_transform,
    get_args,
    get_origin,
)

from msgspec import NODEFAULT, Struct, StructMeta
from msgspec.structs import force_setattr

from rotator.config.rules import Rule

TAGS = ("type", "method")
"""The keys whose only word says which settings a mapping has."""


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


class _Lines(StructMeta):
    """Makes a Struct of a class's lines.

    A line such as `type: Literal["file"] = "file"` gives it its tag. The lines of a `shared` class,
    one that is only there to be built on, become fields of the classes that build on it, as a
    Struct takes fields from one base only.
    """

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        body: dict[str, Any],
        *,
        shared: bool = False,
        **options: Any,
    ) -> Any:
        """Return the class."""
        lines: dict[str, Key] = {}
        for base in reversed(bases):
            lines |= vars(base).get("LINES", {})
        annotations = body.setdefault("__annotations__", {})
        for key, kind in list(annotations.items()):
            if get_origin(kind) is ClassVar:
                continue
            del annotations[key]
            if key in TAGS and get_args(kind) == (body.get(key),):
                options |= {"tag_field": key, "tag": body[key]}
            else:
                lines[key] = Key(kind, body.pop(key, NODEFAULT))
        if not shared:
            annotations |= {key: line.type for key, line in lines.items()}
            body |= {key: line.default for key, line in lines.items() if not line.required}
        return super().__new__(mcs, name, bases, {**body, "LINES": lines}, kw_only=True, **options)


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Settings(Struct, metaclass=_Lines, shared=True, frozen=True, forbid_unknown_fields=True):
    """What all parts have in common: unchangeable, no unknown key.

    `RULES` are what one key says about another. They are not checked here but by `crosscheck`,
    over the file's own keys, so that they are told together with every other mistake. `CALLED`:
    what a mapping is called where its key doesn't say it.
    """

    RULES: ClassVar[tuple[Rule, ...]] = ()
    CALLED: ClassVar[str] = ""
    LINES: ClassVar[Mapping[str, Key]] = {}

    @classmethod
    @cache
    def keys(cls) -> Mapping[str, Key]:
        """Return the keys of a mapping with these settings, its tag first."""
        config = cls.__struct_config__
        tag = {config.tag_field: Key(Literal[config.tag], config.tag)} if config.tag_field else {}
        return {**tag, **cls.LINES}

    @classmethod
    def rules(cls) -> list[Rule]:
        """Return the rules of a class and of those that it builds on."""
        return [rule for kind in cls.__mro__ for rule in vars(kind).get("RULES", ())]

    def fill(self, key: str, value: object) -> None:
        """Give a key that was left out its value, while the settings are being made."""
        if getattr(self, key) in (None, ""):
            force_setattr(self, key, value)
