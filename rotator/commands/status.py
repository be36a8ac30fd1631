"""`rotator status`: the state of everything by the journal, so also when the daemon is dead."""

from __future__ import annotations

import json
import os
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from rotator.commands.common import rotations
from rotator.config.load import SYSTEM_STATE, default_state_dir
from rotator.config.typed import completed
from rotator.core.record import Record, RecordError
from rotator.observe.view import rotation_view, with_found
from rotator.observe.view_model import RUNNING, STOPPED, UNKNOWN, View, overall
from rotator.system.lock import cycle_runs, daemon_runs
from rotator.system.missing import is_missing
from rotator.system.state_dir import saved_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rotator.config.schema import Configuration, RotationSettings
    from rotator.observe.view_model import Found

# Seconds that all reads may take; each has a shorter deadline of its own.
_LONGEST = 600.0

EXIT_CODES = {"good": 0, "bad": 1, "partial": 10}


def execute(
    configuration: Configuration, names: Sequence[str], *, live: bool, as_json: bool, quiet: bool
) -> int:
    """Print the state of the rotations (all, if none is named) and return the exit code."""
    chosen = rotations(configuration, names)
    configuration = replace(configuration, state_dir=_journal(configuration.state_dir))
    records = {one.name: _record(configuration, one.name) for one in chosen}
    now = datetime.now(UTC)
    views = []
    for one in chosen:
        in_cycle = cycle_runs(configuration.state_dir, one.name) is not False
        views.append(rotation_view(one, records[one.name], now, in_cycle=in_cycle))
    if live:
        found = _read(configuration, chosen, records)
        views = [with_found(view, there, now) for view, there in zip(views, found, strict=True)]
    daemon = {True: RUNNING, False: STOPPED, None: UNKNOWN}[daemon_runs(configuration.state_dir)]
    view = completed(View(now, daemon, tuple(views)), configuration.file)
    if as_json:
        from rotator.observe import status_json  # noqa: PLC0415  for one of two ways out

        click.echo(json.dumps(status_json.as_json(view)))
    else:
        from rotator.observe.table import show  # noqa: PLC0415  rich is slow to load

        show(view, quiet=quiet)
    return EXIT_CODES[overall(view.rotations)]


def _journal(state_dir: Path) -> Path:
    """Return the journal's directory: the system's where an ordinary user has none of their own."""
    own = default_state_dir(os.environ, os.geteuid())
    alone = state_dir == own != SYSTEM_STATE
    if alone and is_missing(state_dir) and not is_missing(SYSTEM_STATE):
        return SYSTEM_STATE
    return state_dir


def _record(configuration: Configuration, name: str) -> Record:
    state_dir = configuration.state_dir
    try:
        return saved_record(state_dir, name)
    except PermissionError as error:
        owner = f' -u "$(stat -c %U {shlex.quote(str(state_dir))})"' if os.geteuid() == 0 else ""
        command = completed("rotator status", configuration.file)
        raise click.ClickException(
            f"cannot read {state_dir}: {error.strerror}\ntype this: sudo{owner} {command}"
        ) from None
    except (OSError, RecordError) as error:
        click.echo(f"rotator: the record of {name} cannot be read: {error}", err=True)
        return Record()


def _read(
    configuration: Configuration,
    chosen: Sequence[RotationSettings],
    records: Mapping[str, Record],
) -> Sequence[Mapping[str, Found]]:
    # Only this asks the targets, and needs their drivers.
    from rotator.app import Builder, Runner  # noqa: PLC0415
    from rotator.observe.live import read_now  # noqa: PLC0415
    from rotator.system.each import ThreadedEach  # noqa: PLC0415
    from rotator.system.journal import KEY  # noqa: PLC0415

    if is_missing(configuration.state_dir / KEY):
        todo = completed("rotator run-once", configuration.file)
        raise click.ClickException(
            f"there is no key in {configuration.state_dir} to recognise our entries by: "
            f"nothing was published from here yet; {todo}"
        )
    builder = Builder(configuration, lambda text: click.echo(text, err=True))

    def read(one: Runner) -> Mapping[str, Found]:
        record, fingerprint = records[one.rotation.name], one.ports.journal.fingerprint
        return read_now(one.rotation, record, one.each, fingerprint, one.ports.clock)

    runners = [builder.runner(settings) for settings in chosen]
    found = []
    for answer in ThreadedEach()(read, runners, _LONGEST):
        if isinstance(answer, Exception):
            raise answer
        found.append(answer)
    return found
