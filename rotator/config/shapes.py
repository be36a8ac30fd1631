"""The shapes that the values of a configuration have, and how each is read from a document.

A shape returns the value ready for use. Whatever is wrong it tells the `Reading` and returns
`WRONG`, so that every mistake of a document is told at once. From code it takes the value itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    Protocol,
    Union,
    get_args,
    get_origin,
)

from rotator.config.explain import EMPTY, LIST, MAPPING, Problem, one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rotator.config.explain import Path
    from rotator.config.settings import Reading, Settings

WRONG: Final[Any] = object()


class Shape(Protocol):
    """How one kind of value is read."""

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """Return the value ready for use, or `WRONG` when the reading was told what is wrong."""
        ...


class Value:
    """Annotates a type whose values a function makes from a text, or takes as they are.

    `check` raises ValueError with words to be read after the key's name; `schema` says the same to
    editors. `beside`: `check` also gets the directory in which a relative path is looked up.
    """

    def __init__(
        self, check: Callable[..., Any], schema: dict[str, Any], *, beside: bool = False
    ) -> None:
        self.check = check
        self.schema = schema
        self._beside = beside

    def of(self, _: Any) -> Shape:
        """Return the shape of what this annotates."""
        return self

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """Return what the check makes of the value."""
        try:
            return self.check(value, reading.base) if self._beside else self.check(value)
        except ValueError as error:
            return reading.wrong(path, str(error))


class Filled:
    """Annotates a list of at least one item; `unique`: no item may be there twice."""

    def __init__(self, *, unique: bool = False) -> None:
        self._unique = unique

    def of(self, annotated: Any) -> Shape:
        """Return the shape of what this annotates."""
        return Items(shape_of(get_args(annotated)[0]), filled=True, unique=self._unique)


class Tagged:
    """Annotates a union of settings: the key `tag` in a mapping says which of them it is."""

    def __init__(self, tag: str) -> None:
        self._tag = tag

    def of(self, annotated: Any) -> Shape:
        """Return the shape of what this annotates."""
        return Choice(self._tag, get_args(annotated))


class TextMap:
    """Annotates a mapping whose keys and values are texts, of the kind that `inner` annotates."""

    def __init__(self, inner: Any) -> None:
        self.inner = get_args(inner)[1]

    def of(self, _: Any) -> Shape:
        """Return the shape of what this annotates."""
        return self

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """Return the mapping; what is wrong with a key is told at the key itself."""
        if not isinstance(value, Mapping):
            return reading.wrong(path, MAPPING)
        made = {}
        for key, inner in value.items():
            made[key] = reading.read(self.inner, inner, (*path, key))
            try:
                self.inner.check(key)
            except ValueError as error:
                reading.problems.append(Problem((*path, key), f"this key: {error}", at_key=True))
                made[key] = WRONG
        return WRONG if WRONG in made.values() else made


class Words:
    """One of a few words."""

    def __init__(self, words: Iterable[str], make: Callable[[str], Any] = str) -> None:
        self.words = tuple(words)
        self._make = make

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """Return the word."""
        if isinstance(value, str) and value in self.words:
            return self._make(value)
        return reading.wrong(path, one_of(self.words, value))


class Maybe:
    """A value, or null."""

    def __init__(self, inner: Shape) -> None:
        self.inner = inner

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """Return the value or None."""
        return None if value is None else self.inner.read(value, path, reading)


class Items:
    """A list of values of one shape."""

    def __init__(self, inner: Shape, *, filled: bool = False, unique: bool = False) -> None:
        self.inner = inner
        self.filled = filled
        self.unique = unique

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """Return the values as a tuple."""
        if not isinstance(value, list | tuple):
            return reading.wrong(path, LIST)
        if self.filled and not value:
            return reading.wrong(path, EMPTY)
        made = tuple(reading.read(self.inner, item, (*path, n)) for n, item in enumerate(value))
        if any(one is WRONG for one in made):
            return WRONG
        if self.unique and len(set(made)) < len(made):
            twice = next(one for n, one in enumerate(made) if one in made[:n])
            return reading.wrong(path, f"`{twice}` is there twice")
        return made


class Nested:
    """A mapping with settings of its own."""

    def __init__(self, settings: type[Settings]) -> None:
        self.settings = settings

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """Return the settings."""
        called = self.settings.CALLED or f"`{path[-1]}`"
        return self.settings.read(value, path, reading, called)


class Choice:
    """A mapping whose tag says which settings it is."""

    def __init__(self, tag: str, settings: Iterable[type[Settings]]) -> None:
        self.tag = tag
        self.known = {str(vars(one)[tag]): one for one in settings}

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """Return the settings."""
        if type(value) in self.known.values():
            return value
        if not isinstance(value, dict):
            return reading.wrong(path, MAPPING)
        if self.tag not in value:
            message = f"`{self.tag}` is missing, which says what kind this is"
            reading.problems.append(Problem(path, message))
            return WRONG
        name = value[self.tag]
        if not isinstance(name, str) or name not in self.known:
            return reading.wrong((*path, self.tag), one_of(self.known, name))
        return self.known[name].read(value, path, reading, f"`{self.tag}: {name}`")


def shape_of(annotation: Any) -> Shape:
    """Return the shape that a key's annotation asks for."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        shape: Shape = parts[1].of(parts[0])
        return shape
    if origin is Literal:
        return Words(parts)
    if origin in (Union, UnionType):
        return Maybe(shape_of(parts[0]))
    if origin is tuple:
        return Items(shape_of(parts[0]))
    return Words(annotation, annotation) if issubclass(annotation, StrEnum) else Nested(annotation)
