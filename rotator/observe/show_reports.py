"""Shows what cycles did: a table on a terminal, plain lines in a pipe, where rich is not loaded."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from rotator.observe.phrases import lines
from rotator.observe.view import report_view
from rotator.observe.view_model import Health

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rotator.core.report import Report


def show(reports: Sequence[Report], now: datetime, *, quiet: bool = False) -> None:
    """Print the reports to standard output; `quiet`: only what is not green."""
    views = [report_view(report, now) for report in reports]
    shown = [view for view in views if not quiet or view.health not in {Health.GREEN, None}]
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        from rotator.observe.table import show_rotations  # noqa: PLC0415  rich is slow to load

        show_rotations(shown, now)
        return
    for view in shown:
        for line in lines(view, now):
            click.echo(line)
