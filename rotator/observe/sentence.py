"""How a daemon is, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rotator.core.report import Report


def sentence(reports: Sequence[Report], now: datetime) -> str:
    """Return in one sentence how the rotations are, for `systemctl status`."""
    if not reports:
        return "starting: the first cycles are running"
    unsafe = [
        report.name for report in reports if not report.job_safe and report.outcome != "paused"
    ]
    if unsafe:
        return f"NOT job-safe: {', '.join(unsafe)}; what to do: rotator status"
    troubled = [report.name for report in reports if report.outcome in {"partial", "failed"}]
    count = f"{len(reports)} rotation{'s' if len(reports) > 1 else ''}"
    if troubled:
        return f"{count}, job-safe, but not all fresh: {', '.join(troubled)}; see rotator status"
    coming = min((r.next_at for r in reports if r.next_at is not None), default=None)
    when = (
        "" if coming is None else f"; next cycle in {max(int((coming - now).total_seconds()), 0)} s"
    )
    return f"{count}, all fresh and job-safe{when}"
