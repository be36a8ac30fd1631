"""What all parts of a configuration have in common, and how a document is read into them.

A class of settings has a line for each key: its type, its default where it has one, and below it a
text that tells what it is for. It is made like a dataclass whose values are checked. Its module
must not postpone annotations (`from __future__`), as they are looked at while it runs.
"""

from __future__ import annotations

from functools import cache
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Final,
    NamedTuple,
    Self,
    dataclass_transform,
    get_origin,
)

from rotator.config.explain import MAPPING, Part, Problem, about, wrong_keys
from rotator.config.shapes import WRONG, Items, Maybe, Nested, Shape, shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path as FilePath

    from rotator.config.explain import Path
    from rotator.config.rules import Rule

REQUIRED: Final[Any] = object()


class Key(NamedTuple):
    """What a key's line says: the shape of its values, and its default or `REQUIRED`."""

    shape: Shape
    default: Any

    @property
    def required(self) -> bool:
        """Whether the key has no default."""
        return self.default is REQUIRED

    @property
    def nested(self) -> type[Settings] | None:
        """The settings that the key holds, where no tag decides which."""
        shape = self.shape
        while isinstance(shape, Maybe | Items):
            shape = shape.inner
        return shape.settings if isinstance(shape, Nested) else None


class Reading:
    """What is read from one document: its mappings, what is right in it, and what is wrong.

    `base`: the directory of relative paths; None: there are none.
    """

    def __init__(self, base: FilePath | None = None) -> None:
        self.base = base
        self.parts: dict[Path, Part] = {}
        self.right: dict[Path, Any] = {}
        self.problems: list[Problem] = []

    def read(self, shape: Shape, value: Any, path: Path = ()) -> Any:
        """Return what a shape makes of the value at a path, or `WRONG`."""
        made = shape.read(value, path, self)
        if made is not WRONG:
            self.right[path] = made
        return made

    def wrong(self, path: Path, message: str) -> Any:
        """Note what is wrong with the value at a path; return `WRONG`."""
        self.problems.append(about(path, message))
        return WRONG


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Settings:
    """What all parts have in common: unchangeable, no unknown key.

    `RULES` are what one key says about another. They are not checked here but by `crosscheck`,
    over the file's own keys, so that they are told together with every other mistake. `given` are
    the keys that were there. `CALLED`: what a mapping is called where its key doesn't say it.
    """

    RULES: ClassVar[tuple[Rule, ...]] = ()
    CALLED: ClassVar[str] = ""

    given: frozenset[str]

    def __init__(self, **values: Any) -> None:
        """Check the values; raise ValueError with everything that is wrong with them."""
        reading = Reading()
        made = self.read(values, (), reading, type(self).__name__)
        if made is WRONG:
            raise ValueError("; ".join(problem.message for problem in reading.problems))
        self.__dict__.update(made.__dict__)

    @classmethod
    @cache
    def keys(cls) -> Mapping[str, Key]:
        """Return the keys of a class and of those that it builds on."""
        return {
            name: Key(shape_of(annotation), vars(kind).get(name, REQUIRED))
            for kind in reversed(cls.__mro__)
            if issubclass(kind, Settings) and kind is not Settings
            for name, annotation in kind.__annotations__.items()
            if get_origin(annotation) is not ClassVar  # type: ignore[comparison-overlap]
        }

    @classmethod
    def rules(cls) -> list[Rule]:
        """Return the rules of a class and of those that it builds on."""
        return [rule for kind in cls.__mro__ for rule in vars(kind).get("RULES", ())]

    @classmethod
    def read(cls, data: Any, path: Path, reading: Reading, called: str) -> Any:
        """Return the settings in a mapping, or `WRONG`; `called`: what it is in messages."""
        if isinstance(data, cls):
            return data
        if not isinstance(data, dict):
            return reading.wrong(path, MAPPING)
        keys = cls.keys()
        part = reading.parts[path] = Part(path, cls, data, called)
        values = {
            name: reading.read(key.shape, data[name], (*path, name))
            for name, key in keys.items()
            if name in data
        }
        wrong = wrong_keys(part, reading.parts[()].settings)
        reading.problems += wrong
        if wrong or any(value is WRONG for value in values.values()):
            return WRONG
        made = object.__new__(cls)
        defaults = {name: key.default for name, key in keys.items()}
        made.__dict__.update(defaults, **values, given=frozenset(values))
        made.complete()
        return made

    def complete(self) -> None:
        """Fill in the defaults that depend on other keys."""

    def fill(self, key: str, value: object) -> None:
        """Give a key that was left out its value, while the settings are being made."""
        if key not in self.given:
            self.__dict__[key] = value

    def but(self, **values: object) -> Self:
        """Return a copy with some other values, which are right already."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, **values)
        return other

    def __setattr__(self, key: str, value: object) -> None:
        raise AttributeError(f"settings are frozen: {key} stays as it was checked")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # some hold mappings

    def __repr__(self) -> str:
        values = ", ".join(f"{key}={getattr(self, key)!r}" for key in self.keys())
        return f"{type(self).__name__}({values})"
