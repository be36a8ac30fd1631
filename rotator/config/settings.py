"""What all parts of a configuration have in common.

A class of settings has a line for each key: its type, its default where it has one, and a text
below it that says what it is for. It is a `Struct` of msgspec, and its `tag` says which kind a
mapping is (`type: file`). Its module must not postpone annotations (`from __future__`), as they are
read at run time.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Literal, NamedTuple, dataclass_transform, get_args

from msgspec import NODEFAULT, Struct
from msgspec.structs import fields, force_setattr

from rotator.config.rules import Rule


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
        """Return the keys of a mapping with these settings, its tag first."""
        config = cls.__struct_config__
        tag = {config.tag_field: Key(Literal[config.tag], config.tag)} if config.tag_field else {}
        return {**tag, **{field.name: Key(field.type, field.default) for field in fields(cls)}}

    @classmethod
    def rules(cls) -> list[Rule]:
        """Return the rules of a class and of those that it builds on."""
        return [rule for kind in cls.__mro__ for rule in vars(kind).get("RULES", ())]

    def fill(self, key: str, value: object) -> None:
        """Give a key that was left out its value, while the settings are being made."""
        if getattr(self, key) in (None, ""):
            force_setattr(self, key, value)
