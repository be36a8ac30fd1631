"""The table that `run-once` prints: what became of each registry and each target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rotator.core.report import GOOD_CREDENTIAL, GOOD_TARGET, Problem, Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from rich.console import RenderableType


def show(reports: Sequence[Report], now: datetime) -> None:
    """Print the reports to standard output: in colour on a terminal, at its width."""
    console = Console(highlight=False, soft_wrap=False)
    for report in reports:
        console.print(_rotation(report, now))


def _rotation(report: Report, now: datetime) -> RenderableType:
    good = report.outcome in {"rotated", "fresh", "paused"}
    title = Text.assemble(
        (report.name, "bold"), ": ", (report.outcome, "green" if good else "bold red")
    )
    return Group(title, _entries(report, now), *_problems(report), Text(_safety(report, now)), "")


def _entries(report: Report, now: datetime) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    for login in report.credentials:
        name = login.registry or f"(what {login.source} serves)"
        _row(
            table, name, login.outcome, login.expires_at, now, good=login.outcome in GOOD_CREDENTIAL
        )
    for target in report.targets:
        good = target.outcome in GOOD_TARGET
        _row(table, f"→ {target.name}", target.outcome, target.expires_at, now, good=good)
    return table


def _row(
    table: Table, name: str, outcome: str, end: datetime | None, now: datetime, *, good: bool
) -> None:
    lasts = f"for {in_words(end - now)}" if end is not None else ""
    table.add_row(name, Text(outcome, style="green" if good else "bold red"), lasts)


def _problems(report: Report) -> Iterable[RenderableType]:
    told: set[tuple[str, str]] = set()
    for name, problem in _with_problems(report):
        if (problem.detail, problem.hint) in told:
            continue
        told.add((problem.detail, problem.hint))
        text = Text.assemble((f"{name}: {problem.reason}", "bold"), f"\n{problem.detail}\n")
        text.append(f"To do: {problem.hint}")
        yield Padding(text, (1, 2, 0, 2))
    for note in dict.fromkeys((*report.notes, *(n for t in report.targets for n in t.notes))):
        yield Padding(Text(f"Note: {note}"), (1, 2, 0, 2))


def _with_problems(report: Report) -> Iterable[tuple[str, Problem]]:
    for login in report.credentials:
        if login.problem is not None:
            yield login.registry or login.source, login.problem
    for target in report.targets:
        if target.problem is not None:
            yield target.name, target.problem


def _safety(report: Report, now: datetime) -> str:
    if report.outcome == "paused":
        return "  Paused: nothing is fetched or written (`enabled: false`)."
    if not report.job_safe:
        return "  Not job-safe: a job that starts now may lose its registries before it ends."
    if report.safe_until is None:
        return "  Job-safe: nothing of this ends by itself."
    return f"  Job-safe for {in_words(report.safe_until - now)}, even if nothing can be fetched."


def in_words(span: timedelta) -> str:
    """Return a time span as people say it, in its two largest units: `5 h 12 m`."""
    seconds = int(span.total_seconds())
    if seconds < 0:
        return f"-{in_words(-span)}"
    days, seconds = divmod(seconds, 86400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} m"
    return f"{minutes} m {seconds} s" if minutes else f"{seconds} s"
