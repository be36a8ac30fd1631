"""The command line. Each command loads what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from rotator import __version__
from rotator.core.errors import ConfigError, LockHeldError

if TYPE_CHECKING:
    from rotator.config.schema import Configuration

BUG, USAGE, LOCKED = 1, 2, 75


def _remember(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.obj = value


_config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    expose_value=False,
    callback=_remember,
    help="The configuration. Default: $ROTATOR_CONFIG, else /etc/rotator/rotator.yaml.",
)
"""Taken before a command and after it: nobody remembers which at night. `context.obj` holds it."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="rotator")
@_config_option
def cli() -> None:
    """Keep registry credentials in GitLab CI fresh, wherever the job reads them from.

    \b
    Credentials are failing now? Type these, in this order:
      rotator run-once             fetch and publish all; says what is wrong
      rotator run-once --dry-run   the same, but write nothing
      rotator check                would it work? asks everybody, changes nothing
      rotator check --document F   is the document that this job used still good?
      rotator check --offline      is the configuration right?

    Exit codes: 0 all is published and fresh, 1 every rotation failed, 2 wrong usage or
    configuration, 10 some registry or target is not fresh, 75 another rotator holds the lock.
    """


@cli.command(short_help="The daemon: renew and repair until SIGTERM.")
@_config_option
@click.pass_obj
def run(config: Path | None) -> None:
    """Run as a daemon: renew before anything ends, repair what drifts, until SIGTERM.

    SIGHUP reads the configuration again; a bad one is reported and the old one kept.
    """
    # A reload that is asked for during the start has nothing to reload yet, and must not end it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from rotator.commands import run as command

    sys.exit(command.execute(lambda: _load(config)))


@cli.command("run-once", short_help="One cycle of each rotation, now.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--only-due", is_flag=True, help="Fetch only what is due; skip what is fresh.")
@click.option(
    "--dry-run", is_flag=True, help="Fetch and prove, say what would be written, write nothing."
)
@click.option(
    "--target", "targets", multiple=True, metavar="NAME", help="Only this target. Repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for another rotator's lock.",
)
@_config_option
@click.pass_obj
def run_once(
    config: Path | None,
    names: tuple[str, ...],
    only_due: bool,
    dry_run: bool,
    targets: tuple[str, ...],
    as_json: bool,
    wait: float,
) -> None:
    """Run one cycle of each rotation named (all, if none is), whatever the schedule says.

    Exit codes: 0 all is published and fresh, 1 every rotation failed, 2 wrong usage or
    configuration, 10 some registry or target is not fresh, 75 another rotator holds the lock.
    """
    from rotator.commands import run_once as command

    options = command.Options(names, targets, only_due, dry_run, as_json, wait)
    sys.exit(command.execute(_load(config), options))


@cli.command(short_help="Would it work? Ask everybody, change nothing.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--offline", is_flag=True, help="The configuration alone: no server, no secret.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--consume",
    is_flag=True,
    help="Also do what uses something up: log in with a secret id, make a credential (and end it).",
)
@click.option(
    "--document",
    metavar="FILE",
    help="Judge the docker config that a job used (- is standard input).",
)
@_config_option
@click.pass_obj
def check(
    config: Path | None,
    names: tuple[str, ...],
    offline: bool,
    as_json: bool,
    consume: bool,
    document: str | None,
) -> None:
    """Say whether the rotations would work, and what to do where not; change nothing.

    Exit codes: 0 no failure (warnings allowed), 1 a failure, 2 wrong usage or configuration.
    """
    from rotator.commands import check as command

    options = command.Options(names, offline, as_json, consume, document)
    sys.exit(command.execute(_file(config), _load(config), options))


@cli.command(short_help="How each rotation stands, daemon or not.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--live", is_flag=True, help="Read the targets themselves, too; changes nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@_config_option
@click.pass_obj
def status(config: Path | None, names: tuple[str, ...], live: bool, as_json: bool) -> None:
    """Tell how each rotation named (all, if none is) stands, whether or not a daemon runs."""
    from rotator.commands import status as command

    sys.exit(command.execute(_load(config), command.Options(names, live, as_json)))


@cli.command(short_help="The JSON Schema of the configuration.")
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    import json

    from rotator.config.json_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


def main() -> None:
    """Run `rotator`: turn errors that are the user's into a message and an exit code."""
    # Loading modules makes objects that stay: looking for garbage among them is a tenth of the time
    # of a short command. The daemon turns it on again.
    gc.disable()
    # A crash of the interpreter would otherwise end it without a word. Lines of code, no values.
    with suppress(RuntimeError, OSError):  # there is no standard error
        faulthandler.enable()
    try:
        cli(prog_name="rotator")
    except ConfigError as error:
        _end(str(error), USAGE)
    except LockHeldError as error:
        _end(f"rotator: {error}", LOCKED)
    except Exception as error:  # noqa: BLE001  the interpreter would print the error's words
        from rotator.observe.bugs import without_values

        told = "this is a bug in rotator; report it with these lines"
        _end(f"rotator: {told}:\n{without_values(error)}", BUG)


def _end(text: str, code: int) -> NoReturn:
    from rotator.system.notify import is_journal, with_priority

    journal = is_journal(sys.stderr, os.environ)
    click.echo(with_priority(text, "error") if journal else text, err=True)
    sys.exit(code)


def _file(option: Path | None) -> Path:
    from rotator.config.load import configuration_file

    return configuration_file(option, os.environ)


def _load(option: Path | None) -> Configuration:
    from rotator.config.load import load

    return load(_file(option), os.environ)
