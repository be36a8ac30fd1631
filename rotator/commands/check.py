"""`rotator check`: would the rotations work?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from rotator.commands.choose import rotations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rotator.config.schema import Configuration

OK, USAGE = 0, 2


def execute(
    file: Path, configuration: Configuration, names: Sequence[str], *, offline: bool, as_json: bool
) -> int:
    """Say what was found and return the exit code; the configuration has been checked by now."""
    if not offline:
        raise click.UsageError("only `check --offline` is there yet: it checks the configuration")
    chosen = rotations(configuration, names)
    if as_json:
        found = [{"name": rotation.name, "outcome": "ok"} for rotation in chosen]
        click.echo(json.dumps({"configuration": str(file), "rotations": found}))
    else:
        counted = ", ".join(
            f"{r.name} ({len(r.sources)} sources, {len(r.targets)} targets)" for r in chosen
        )
        click.echo(f"{file} is right: {counted}")
    return OK
