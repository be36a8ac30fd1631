"""A rule of the core that is broken on purpose."""

from __future__ import annotations

from typing import NamedTuple


class Mutation(NamedTuple):
    """A rule that is broken: `old` stands in `file` exactly once, `new` takes its place."""

    name: str
    file: str
    old: str
    new: str


def in_file(file: str, *broken: tuple[str, str, str]) -> tuple[Mutation, ...]:
    """Return the mutations of one file, each from its name, its text, and what replaces it."""
    return tuple(Mutation(name, file, old, new) for name, old, new in broken)
