"""Which rotations a command is about."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rotator.config.schema import Configuration, RotationSettings


def rotations(
    configuration: Configuration, names: Sequence[str], targets: Sequence[str] = ()
) -> list[RotationSettings]:
    """Return the rotations with these names (all where none is named) that have these targets.

    Raises `click.UsageError`, which ends in exit code 2, for a name that is not configured.
    """
    known = {rotation.name: rotation for rotation in configuration.rotations}
    _check("rotation", names, known)
    chosen = [known[name] for name in dict.fromkeys(names)] or list(known.values())
    if not targets:
        return chosen
    _check("target", targets, {t.target_name for r in chosen for t in r.targets})
    return [r for r in chosen if any(t.target_name in targets for t in r.targets)]


def _check(what: str, names: Sequence[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]}?" if near else f"there is: {', '.join(sorted(known))}"
            raise click.UsageError(f"there is no {what} {name!r}; {meant}")
