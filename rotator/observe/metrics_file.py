"""Writes the metrics into a file, for node_exporter's textfile collector."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from rotator.core.errors import DriverError
from rotator.observe.access_tokens import AccessTokens
from rotator.observe.metrics import Metrics
from rotator.observe.view import rotation_view
from rotator.observe.view_model import STOPPED, View
from rotator.system import atomic_file
from rotator.system.file_errors import OPEN, WRITE, explaining

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from rotator.config.schema import RotationSettings
    from rotator.core.ports import Clock
    from rotator.core.record import Record
    from rotator.core.report import Report
    from rotator.core.rotation import Rotation

# The collector is another user, and there is no secret in it.
_MODE = 0o644


def after_run(
    path: Path,
    records: Sequence[tuple[RotationSettings, Record]],
    ran: Sequence[tuple[RotationSettings, Rotation]],
    reports: Mapping[str, Report],
    clock: Clock,
    log: FilteringBoundLogger,
) -> None:
    """Write the metrics after `run-once`: the `records` of every rotation, also of those not run.

    Asks nobody: the end of a GitLab access token is known to a daemon only.
    """

    def status() -> View:
        now = clock()
        views = (rotation_view(s, record, now, reports.get(s.name)) for s, record in records)
        return View(now, STOPPED, tuple(views))

    metrics = Metrics(status, AccessTokens(lambda: ran, clock, log).ends, clock)
    for report in reports.values():
        metrics.add(report)
    if failure := write(path, metrics.textfile()):
        log_failure(failure, log)


def write(path: Path, text: str) -> DriverError | None:
    """Put the text there, whole or not at all; return why not, None where it is there."""
    try:
        with ExitStack() as stack:
            with explaining(path, OPEN):
                opened = stack.enter_context(atomic_file.directory(path.parent))
            with explaining(path, WRITE):
                atomic_file.write(opened, path.name, text, mode=_MODE, durable=False)
    except DriverError as error:
        return error
    return None


def log_failure(failure: DriverError, log: FilteringBoundLogger) -> None:
    """Log why the file was not written: that stops nothing."""
    reason = str(failure.reason)
    log.warning("metrics file not written", reason=reason, detail=failure.detail, hint=failure.hint)
