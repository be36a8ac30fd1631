"""The command line. Each command loads what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

import click

from rotator import __version__, signals
from rotator.commands.common import Common, common_options
from rotator.core.errors import ConfigError, LockHeldError

BUG, USAGE, LOCKED, NO_ANSWER = 1, 2, 75, 130

_DAY = 86400


def _seconds(_: click.Context, __: click.Parameter, value: str) -> float:
    with suppress(ValueError):
        if 0 <= (seconds := float(value)) <= _DAY:  # no NaN is
            return seconds
    raise click.BadParameter(f"{value!r}: seconds from 0 to {_DAY} are wanted, such as --wait 120")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="rotator")
@common_options
@click.pass_context
def cli(context: click.Context) -> None:
    """Keep registry credentials in GitLab CI fresh, wherever the job reads them from.

    \b
    The first time:
      rotator init                 write a first configuration
    Credentials are failing now? Type these, in this order:
      rotator run-once             fetch and publish all; says what is wrong
      rotator run-once --dry-run   the same, but write nothing
      rotator check                would it work? asks everybody, changes nothing
      rotator check --document F   is the document that this job used still good?
      rotator check --offline      is the configuration right?

    Exit codes: 0 all is published and fresh, 1 every rotation failed, 2 wrong usage or
    configuration, 10 some registry or target is not fresh or a rotation is not job-safe, 75 another
    rotator holds the lock, 129, 130 or 143 interrupted.
    """
    context.ensure_object(Common)


@cli.command(short_help="The daemon: renew and repair until SIGTERM.")
@common_options
@click.pass_obj
def run(common: Common) -> None:
    """Run as a daemon: renew before anything ends, repair what drifts, until SIGTERM.

    SIGHUP reads the configuration again; a bad one is reported and the old one stays.
    """
    # A reload that is asked for during the start has nothing to reload yet, and must not end it;
    # a stop has nothing to end.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    from rotator.commands import run as command

    sys.exit(command.execute(common.load))


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
    callback=_seconds,
    default="30",
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for another rotator's lock.",
)
@common_options
@click.pass_obj
def run_once(common: Common, /, **options: Any) -> None:
    """Run one cycle of each rotation named (all, if none is), whatever the schedule says.

    Exit codes: 0 all is published and fresh, 1 every rotation failed, 2 wrong usage or
    configuration, 10 some registry or target is not fresh or a rotation is not job-safe, 75 another
    rotator holds the lock, 129, 130 or 143 interrupted.
    """
    common.run_there("run-once")
    from rotator.commands import run_once as command

    sys.exit(command.execute(common.load(), **options, quiet=common.quiet))


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
@common_options
@click.pass_obj
def check(common: Common, /, **options: Any) -> None:
    """Say whether the rotations would work, and what to do where not; change nothing.

    A server that is silent for 15 s (a registry: 2 s) is given up, as the daemon does. A slow one
    has a minute for each source and target, and those on one server are asked a few at a time.

    Exit codes: 0 no failure (warnings allowed), 1 a failure, 2 wrong usage or configuration.
    """
    if not options["offline"]:
        common.run_there("check", options["document"])
    from rotator.commands import check as command

    asked = command.Options(**options, quiet=common.quiet)
    sys.exit(command.execute(common.file(), common.load_whole(), asked))


@cli.command(short_help="The state of each rotation, daemon or not.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--live", is_flag=True, help="Read the targets themselves, too; changes nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@common_options
@click.pass_obj
def status(common: Common, /, **options: Any) -> None:
    """Show the state of each rotation named (all, if none is), whether or not a daemon runs.

    Exit codes: 0 everything is job-safe and fresh, 10 something needs attention, 1 every rotation
    failed, 2 wrong usage or configuration.
    """
    if options["live"]:
        common.run_there("status")
    from rotator.commands import status as command

    sys.exit(command.execute(common.load(), **options, quiet=common.quiet))


@cli.command(short_help="Write a first configuration.")
@click.option("--ecr", multiple=True, metavar="REGION", help="Amazon ECR. Repeatable, as all here.")
@click.option("--account", multiple=True, metavar="ID", help="An AWS account of --ecr.")
@click.option("--vault", nargs=2, multiple=True, metavar="ADDRESS PATH", help="Vault or OpenBao.")
@click.option("--registry", metavar="HOST", help="The registry whose login --vault holds.")
@click.option(
    "--auth",
    type=click.Choice(["approle", "token", "kubernetes"]),
    default="approle",
    show_default=True,
    help="How to log in to --vault.",
)
@click.option("--role", metavar="ID", help="The AppRole's role id, or the role.")
@click.option(
    "--helper", nargs=2, multiple=True, metavar="NAME REGISTRY", help="A credential helper."
)
@click.option("--docker-config", multiple=True, metavar="PATH", help="Another docker config.")
@click.option("--file", multiple=True, metavar="PATH", help="A file that jobs mount.")
@click.option("--gitlab", nargs=2, multiple=True, metavar="URL GROUP", help="A group's variable.")
@click.option("--configmap", multiple=True, metavar="NS/NAME", help="A ConfigMap.")
@click.option("--secret", multiple=True, metavar="NS/NAME", help="A Secret.")
@click.option("--name", default="dind", show_default=True, help="The rotation's name.")
@click.option(
    "--longest-job", default="1h", show_default=True, metavar="TIME", help="What a job may take."
)
@click.option(
    "--output",
    type=click.Path(),
    metavar="FILE",
    help="Default: as --config. -: print.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@common_options
@click.pass_obj
def init(common: Common, /, output: str | None, **options: Any) -> None:
    """Write a first configuration: from these options, or by questions on a terminal.

    The result is right by `check --offline`. The next commands are printed.
    """
    from pathlib import Path

    from rotator.commands import init as command

    asks = sys.stdin.isatty() and sys.stdout.isatty()
    file = common.file() if output is None else Path(output)
    sys.exit(command.execute(command.Choices(file, **options), asks=asks))


@cli.command(short_help="The JSON Schema of the configuration.")
@common_options
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    import json

    from rotator.config.json_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


def main() -> None:
    """Run `rotator`: turn errors that are the user's into a message and an exit code."""
    # A crash of the interpreter would otherwise end it without a word. Lines of code, no values.
    with suppress(RuntimeError, OSError):  # there is no standard error
        faulthandler.enable()
    try:
        sys.exit(cli(prog_name="rotator", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, signals.Interrupted) as error:
        signals.ignore()
        # click puts an Abort in its place; one of a question has nothing but a context.
        cause = error.__cause__ or error.__context__ or error
        if isinstance(cause, signals.Interrupted):
            if cause is not error.__cause__ and cause is not error:  # it came at a question
                cause.done = "nothing was written"
            _end(f"rotator: {cause}", cause.code)
        _end("rotator: a question got no answer, so nothing was written", NO_ANSWER)
    except ConfigError as error:
        _end(str(error), USAGE)
    except LockHeldError as error:
        _end(f"rotator: {error}", LOCKED)
    except Exception as error:  # noqa: BLE001  the interpreter would print the error's text
        from rotator.observe.logs import without_values

        text = "this is a bug in rotator; report it with these lines"
        _end(f"rotator: {text}:\n{without_values(error)}", BUG)


def _end(text: str, code: int) -> NoReturn:
    from rotator.observe.journald import is_journal, with_priority

    journal = is_journal(sys.stderr, os.environ)
    click.echo(with_priority(text, "error") if journal else text, err=True)
    sys.exit(code)
