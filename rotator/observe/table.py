"""The table that `run-once` prints: what became of each registry and each target.

Without rich, which takes as long to load as a cycle takes to run.
"""

from __future__ import annotations

import os
import shutil
import textwrap
from typing import TYPE_CHECKING, NamedTuple

import click

from rotator.core.report import GOOD_CREDENTIAL, GOOD_TARGET, Report
from rotator.observe.words import in_words, relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from rotator.core.failure import Failure

_GAP = "  "
_NARROWEST = 20


class _Row(NamedTuple):
    name: str
    outcome: str
    good: bool
    lasts: str


def show(reports: Sequence[Report], now: datetime) -> None:
    """Print the reports to standard output: in colour on a terminal, at its width."""
    width = shutil.get_terminal_size().columns
    colour = False if os.environ.get("NO_COLOR") else None
    for report in reports:
        for line in (*_title(report), *_table(_rows(report, now), width)):
            click.echo(line, color=colour)
        for line in (*_problems(report, width), *_folded(_safety(report, now), width), ""):
            click.echo(line, color=colour)


def _title(report: Report) -> Iterator[str]:
    good = report.outcome in {"rotated", "fresh", "paused"}
    yield f"{click.style(report.name, bold=True)}: {_judged(report.outcome, good=good)}"


def _rows(report: Report, now: datetime) -> list[_Row]:
    def lasts(end: datetime | None) -> str:
        if end is None:
            return ""
        return f"for {in_words(end - now)}" if end > now else f"ended {relative(end, now)}"

    return [
        *(
            _Row(
                login.registry or f"(what {login.source} serves)",
                login.outcome,
                login.outcome in GOOD_CREDENTIAL,
                lasts(login.expires_at),
            )
            for login in report.credentials
        ),
        *(
            _Row(
                f"→ {target.name}",
                target.outcome,
                target.outcome in GOOD_TARGET,
                lasts(target.expires_at),
            )
            for target in report.targets
        ),
    ]


def _table(rows: Sequence[_Row], width: int) -> Iterator[str]:
    """Yield the lines; a name that is too long goes on in the next one."""
    outcome = max((len(row.outcome) for row in rows), default=0)
    lasts = max((len(row.lasts) for row in rows), default=0)
    room = max(width - outcome - lasts - 3 * len(_GAP), _NARROWEST)
    name = min(max((len(row.name) for row in rows), default=0), room)
    for row in rows:
        first, *more = (row.name[at : at + name] for at in range(0, len(row.name), name))
        judged = _judged(row.outcome, good=row.good) + " " * (outcome - len(row.outcome))
        yield f"{_GAP}{first.ljust(name)}{_GAP}{judged}{_GAP}{row.lasts}".rstrip()
        yield from (f"{_GAP}{rest}" for rest in more)


def _judged(outcome: str, *, good: bool) -> str:
    return click.style(outcome, fg="green") if good else click.style(outcome, fg="red", bold=True)


def _problems(report: Report, width: int) -> Iterator[str]:
    told: set[tuple[str, str]] = set()
    for name, problem in _with_problems(report):
        if (problem.detail, problem.hint) in told:
            continue
        told.add((problem.detail, problem.hint))
        yield ""
        for line in _folded(f"{name}: {problem.reason}", width):
            yield click.style(line, bold=True)
        yield from _folded(problem.detail, width)
        yield from _folded(f"To do: {problem.hint}", width)
    for note in dict.fromkeys((*report.notes, *(n for t in report.targets for n in t.notes))):
        yield ""
        yield from _folded(f"Note: {note}", width)


def _folded(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width - len(_GAP),
        initial_indent=_GAP,
        subsequent_indent=_GAP,
        # A command or a path in it is to be copied as it is.
        break_on_hyphens=False,
    )


def _with_problems(report: Report) -> Iterable[tuple[str, Failure]]:
    for login in report.credentials:
        if login.failure is not None:
            yield login.registry or login.source, login.failure
    for target in report.targets:
        if target.failure is not None:
            yield target.name, target.failure


def _safety(report: Report, now: datetime) -> str:
    if report.outcome == "paused":
        return "Paused: nothing is fetched or written (`enabled: false`)."
    if not report.job_safe:
        return "Not job-safe: a job that starts now may lose its registries before it ends."
    if report.safe_until is None:
        return "Job-safe: nothing of this ends by itself."
    return f"Job-safe for {in_words(report.safe_until - now)}, even if nothing can be fetched."
