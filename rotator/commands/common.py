"""What commands share: `--config`, `-v` and `-q`, and which rotations they are about."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from rotator.config.load import Loaded
    from rotator.config.schema import Configuration, RotationSettings

# How much is printed: -q is below 0.
QUIET, EACH_REQUEST = -1, 2


class Common:
    """What every command takes, before its name and after it."""

    def __init__(self) -> None:
        self.config: str | None = None
        self.verbosity = 0

    @property
    def quiet(self) -> bool:
        """Whether only what is wrong is to be printed."""
        return self.verbosity <= QUIET

    def file(self) -> Path:
        """Return the configuration's path."""
        from rotator.config.load import configuration_file  # noqa: PLC0415  YAML is slow to load, and --help needs none

        return configuration_file(self.config, os.environ)

    def load(self) -> Configuration:
        """Return the configuration, with the log as talkative as the command line says."""
        return self.load_whole().configuration

    def load_whole(self) -> Loaded:
        """Return the same with the document that it was read from."""
        from msgspec.structs import replace  # noqa: PLC0415  as above

        from rotator.config.load import load_whole  # noqa: PLC0415  as above

        loaded = load_whole(self.file(), os.environ)
        if not self.verbosity:
            return loaded
        level = "warning" if self.quiet else "debug"
        configuration = loaded.configuration
        configuration = replace(configuration, log=replace(configuration.log, level=level))
        if self.verbosity >= EACH_REQUEST:
            from rotator.observe.logs import configure, show_requests  # noqa: PLC0415  for -vv alone

            show_requests(configure(configuration.log, file=self.file()))
        return loaded._replace(configuration=configuration)

    def run_there(self, command: str, document: str | None = None) -> None:
        """End here where the command has run, or has to run, as the installed unit does."""
        from rotator.commands.in_unit import run_there, this_place  # noqa: PLC0415  as above

        code = run_there(this_place(self.file()), command, sys.argv[1:], document)
        if code is not None:
            sys.exit(code)


def _config(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(Common).config = value


def _how_much(context: click.Context, option: click.Parameter, value: int) -> None:
    if value:
        context.ensure_object(Common).verbosity = QUIET if option.name == "quiet" else value


def common_options(command: Any) -> Any:
    """Give a command the options that all have."""
    for option in (
        click.option(
            "-v",
            "--verbose",
            count=True,
            expose_value=False,
            callback=_how_much,
            help="Say more; -vv: also each request.",
        ),
        click.option(
            "-q",
            "--quiet",
            is_flag=True,
            expose_value=False,
            callback=_how_much,
            help="Say only what is wrong.",
        ),
        click.option(
            "--config",
            type=click.Path(),
            metavar="FILE",
            expose_value=False,
            callback=_config,
            help="The configuration. Default: $ROTATOR_CONFIG, else /etc/rotator/rotator.yaml.",
        ),
    ):
        command = option(command)
    return command


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
            from rotator.config.explain import closest  # noqa: PLC0415  as above

            near = closest(name, list(known))
            meant = f"did you mean {near}?" if near else f"there is: {', '.join(sorted(known))}"
            raise click.UsageError(f"there is no {what} {name!r}; {meant}")
