"""Writes one target: merges again and again where somebody else was faster."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core.errors import ConflictError
from rotator.core.facts import Published
from rotator.core.report import Problem
from rotator.core.wish import wish

if TYPE_CHECKING:
    from rotator.core.ports import Clock, Target

_TRIES = 3

# Reading again costs as long as the gap that it closes, where the first read is as young as this.
_RECENT = timedelta(seconds=2)


def carry_out(target: Target, plan: Published, clock: Clock) -> Published:
    """Write what is planned for a target; return what came of it, whatever its driver raises."""
    view, wanted = plan.view, plan.wish
    begun = clock()
    notes: tuple[str, ...] = ()
    problem = None
    tries = 0
    try:
        others = view.marked_by_another or begun - view.now > _RECENT
        if not target.compares and wanted.document is not None and others:
            # Nothing on the other side compares, so the gap is kept as short as it can be.
            view = replace(view, held=target.read())
            wanted = wish(view)
        while wanted.document is not None:
            try:
                document = wanted.document
                notes = target.write(document.text, document.mark, view.held).notes
                break
            except ConflictError:
                tries += 1
                if tries == _TRIES:
                    raise
                view = replace(view, held=target.read())
                wanted = wish(view)
    except Exception as error:  # noqa: BLE001  a failed write is an answer, a bug in it too
        problem = Problem.of(error)
    return Published(view, wanted, problem, (clock() - begun).total_seconds(), notes)
