"""What one key of a mapping says about another: said once, checked by us and by editors.

A rule takes the keys as they are in the file, not at validated settings, so that it can be
checked while other keys of the same mapping are still wrong. A key that is null counts as left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Broken(NamedTuple):
    """A rule that does not hold.

    `key` is the one to point at (None: the mapping), `missing` are those that would repair it.
    """

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
