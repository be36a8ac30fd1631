"""`rotator run-once`: one cycle of each rotation, now."""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from rotator.app import Builder, Runner, utc_now
from rotator.commands.common import rotations
from rotator.config.typed import completed
from rotator.core import cycle
from rotator.core.errors import LockHeldError
from rotator.observe.logs import configure
from rotator.observe.phrases import lines
from rotator.observe.progress import Progress, cycle_each, shown
from rotator.observe.report_log import ReportLog
from rotator.observe.safety import safety
from rotator.observe.status_json import fields
from rotator.observe.view import report_view
from rotator.observe.view_model import FINE
from rotator.signals import telling
from rotator.system.each import ThreadedEach
from rotator.system.journal import FileJournal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from rotator.config.schema import Configuration
    from rotator.core.report import Report
    from rotator.observe.safety import Safety

OK, FAILED, PARTIAL, LOCKED = 0, 1, 10, 75

# Seconds that all cycles of a run may take; each of their steps has a shorter deadline of its own.
_LONGEST = 600.0

# How long a run waits for a registry to know a new credential.
_PATIENCE = timedelta(seconds=15)


def execute(
    configuration: Configuration,
    names: Sequence[str],
    targets: Sequence[str],
    *,
    only_due: bool,
    dry_run: bool,
    as_json: bool,
    wait: float,
    quiet: bool,
) -> int:
    """Run the cycles (all, if none is named), show what they did, and return the exit code."""
    log = configure(configuration.log, file=configuration.file)
    report_log = ReportLog(log)
    chosen = rotations(configuration, names, targets)
    builder = Builder(configuration, log.warning)
    ready = [builder.runner(one) for one in chosen]
    progress = Progress()
    how = cycle.Options(
        force=not only_due, dry_run=dry_run, only=frozenset(targets), patience=_PATIENCE
    )

    def turn(one: Runner) -> Report:
        name = one.rotation.name
        one.ports = replace(one.ports, each=cycle_each(one.each, progress, name))
        progress.begin("lock", f"another cycle of {name}")
        with one.hold(wait):
            progress.end("lock", f"another cycle of {name}")
            return one.locked_cycle(how)

    with shown(progress, sys.stderr), telling(progress.summary):
        answers = ThreadedEach()(turn, ready, _LONGEST)
    reports, locked, crashed = sort_out([one.name for one in chosen], answers, report_log)
    safe = {
        settings.name: safety(settings, one.ports.journal.load(), utc_now())
        for settings, one in zip(chosen, ready, strict=True)
    }
    # Where table and log share a terminal, the log would say it all again.
    shared = sys.stdout.isatty() and sys.stderr.isatty() and not as_json
    if not shared or configuration.log.level == "debug":
        for report in reports:
            report_log.write(report, safe[report.name].reasons())
    if as_json:
        document = {"rotations": [_json(report, safe[report.name]) for report in reports]}
        click.echo(json.dumps(completed(document, configuration.file)))
    else:
        _show(reports, safe, configuration.file, quiet=quiet)
    if configuration.metrics_file is not None and not dry_run:
        from rotator.observe import metrics_file  # noqa: PLC0415  few configurations have it

        state, every = configuration.state_dir, configuration.rotations
        metrics_file.after_run(
            configuration.metrics_file,
            [(one, FileJournal(state, one.name, log.warning).load()) for one in every],
            [(one, ran.rotation) for one, ran in zip(chosen, ready, strict=True)],
            {report.name: report for report in reports},
            utc_now,
            log,
        )
    return LOCKED if locked else exit_code(reports, crashed, dry_run=dry_run)


def sort_out(
    names: Sequence[str], answers: Sequence[Report | Exception], report_log: ReportLog
) -> tuple[list[Report], bool, int]:
    """Return the reports, whether a lock was held by another, and how many cycles crashed.

    The others' reports are complete also where one cycle crashed.
    """
    reports, locked, crashed = [], False, 0
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, LockHeldError):
            locked = True
            click.echo(
                f"rotator: {answer}\nwait for it to end, or give it longer: --wait 120", err=True
            )
        elif isinstance(answer, Exception):
            crashed += 1
            report_log.crashed(name, answer)
        else:
            reports.append(answer)
    return reports, locked, crashed


def exit_code(reports: Sequence[Report], crashed: int = 0, *, dry_run: bool = False) -> int:
    """Return 0 where everything is published, fresh and job-safe, 1 where all failed, else 10."""
    active = [report for report in reports if report.outcome != "paused"]
    # A dry run publishes nothing that could be job-safe.
    good = all(one.outcome in {"rotated", "fresh"} for one in active)
    good = good and (dry_run or all(one.job_safe for one in active))
    if good and not crashed:
        return OK
    return FAILED if all(report.outcome == "failed" for report in active) else PARTIAL


def _json(report: Report, safe: Safety) -> dict[str, Any]:
    """Return a report as JSON, with why it is not job-safe where no failure in it says that."""
    reasons = {} if report.outcome == "paused" or report.job_safe else safe.reasons()
    return {
        **report.as_json(),
        "reasons": [
            {"of": name or report.name, **fields(one, "reason detail hint")}
            for name, one in reasons.items()
        ],
    }


def _show(
    reports: Sequence[Report], safe: Mapping[str, Safety], file: Path, *, quiet: bool
) -> None:
    """Print the reports: a table where the width is known, else plain lines."""
    now = utc_now()
    views = completed([report_view(report, safe[report.name], now) for report in reports], file)
    chosen = [one for one in views if not quiet or one.health not in FINE]
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        from rotator.observe.table import show_rotations  # noqa: PLC0415  rich is slow to load

        show_rotations(chosen, now)
        return
    for view in chosen:
        for line in lines(view, now):
            click.echo(line)
