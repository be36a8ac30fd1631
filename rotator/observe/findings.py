"""The output of `rotator check`: a line for each finding, below what it is about."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rotator.inspection import Finding, Level, worst
from rotator.observe.table import fitting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "bold red"}


def show(groups: Iterable[tuple[str, Sequence[Finding]]], console: Console | None = None) -> None:
    """Print findings, by a name each, to standard output: in colour on a terminal, at its width."""
    console = console or Console(highlight=False)
    with fitting(console):
        for name, findings in groups:
            _print(name, findings, console)


def _print(name: str, findings: Sequence[Finding], console: Console) -> None:
    outcome = worst(findings)
    console.print(
        Text.assemble((name, "bold"), ": ", (str(outcome), _STYLES[outcome])), overflow="fold"
    )
    for about, group in groupby(findings, lambda finding: finding.about):
        if about != name:
            console.print(
                Padding(Text(about, style="bold", overflow="fold"), (0, 0, 0, 2), expand=False)
            )
        console.print(Padding(_lines(group), (0, 0, 0, 4), expand=False))
    console.print(Text(f"  {_counted(findings)}\n"))


def _lines(findings: Iterable[Finding]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, width=max(map(len, Level)))
    table.add_column(overflow="fold")
    for finding in findings:
        text = Text(finding.found)
        if finding.todo:
            text.append("\nTo do: ", style="bold")
            text.append(finding.todo)
        table.add_row(Text(str(finding.level), style=_STYLES[finding.level]), text)
    return table


def _counted(findings: Sequence[Finding]) -> str:
    count = Counter(finding.level for finding in findings)
    bad, odd = count[Level.FAILURE], count[Level.WARNING]
    return (
        f"{bad} failure{'s' * (bad != 1)}, {odd} warning{'s' * (odd != 1)}, {count[Level.OK]} ok."
    )
