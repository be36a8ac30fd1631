"""How a daemon is, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.observe.times import relative

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rotator.core.report import Report


def sentence(reports: Sequence[Report], now: datetime) -> str:
    """Return in one sentence how the rotations are and what comes next."""
    if not reports:
        return "starting: the first cycles are running"
    unsafe = [one.name for one in reports if not one.job_safe and one.outcome != "paused"]
    troubled = [one.name for one in reports if one.outcome in {"partial", "failed"}]
    count = f"{len(reports)} rotation{'s' if len(reports) > 1 else ''}"
    if unsafe:
        state = f"NOT job-safe: {', '.join(unsafe)}; what to do: rotator status"
    elif troubled:
        state = f"{count}, job-safe, but not all fresh: {', '.join(troubled)}; see rotator status"
    else:
        state = f"{count}, all fresh and job-safe"
    coming = min(
        ((max(one.next_at, now), one.name) for one in reports if one.next_at is not None),
        default=None,
    )
    return state if coming is None else f"{state}; next: {coming[1]} {relative(coming[0], now)}"
