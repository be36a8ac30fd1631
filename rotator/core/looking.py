"""Reads the targets; those whose login secret was refused are left alone while it is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.core.facts import Looked
from rotator.core.report import Problem
from rotator.core.schedule import LOGIN_REJECTED_LONGEST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rotator.core.ports import Each, Target
    from rotator.core.record import Record, Trouble

# Seconds after which a read that hangs is given up. Drivers have shorter timeouts of their own.
READ = 20.0


def look_at_all(
    targets: Sequence[Target], record: Record, each: Each, now: datetime, *, force: bool
) -> dict[str, Looked]:
    """Return what came of reading each target, by its name."""
    looked: dict[str, Looked] = {}
    asked = []
    for target in targets:
        trouble = None if force else _refusal(target, record, now)
        if trouble is None:
            asked.append(target)
        else:
            looked[target.name] = Looked(problem=Problem.before(trouble), again=True)
    for target, answer in zip(asked, each(_look_at, asked, READ), strict=True):
        seen = answer if isinstance(answer, Looked) else Looked(problem=Problem.of(answer))
        looked[target.name] = seen
    return looked


def _look_at(target: Target) -> Looked:
    """Read one target; runs in the fan-out, and returns what came of it whatever is raised."""
    stamp = target.login_stamp()
    try:
        return Looked(target.read(), stamp=stamp)
    except Exception as error:  # noqa: BLE001  a failed read is an answer, a bug in it too
        return Looked(problem=Problem.of(error), stamp=stamp)


def _refusal(target: Target, record: Record, now: datetime) -> Trouble | None:
    """Return the trouble of a target whose login secret was refused and is still the same."""
    trouble = record.target(target.name).trouble
    if trouble is None or trouble.login_stamp is None:
        return None
    # A wait that is longer than any: the clock went back.
    if not now < trouble.retry_at <= now + LOGIN_REJECTED_LONGEST:
        return None
    return trouble if trouble.login_stamp == target.login_stamp() else None
