"""Another rotator beside the one that is tested."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.unit.core.builders import HOST, Site, document, foreign

if TYPE_CHECKING:
    from datetime import datetime


def theirs(here: Site, lasts: float, *, marked: float | None, registry: str = HOST) -> str:
    """Let another rotator publish a password that works; `marked`: the end that its mark tells."""
    password = here.world.issue(registry, lasts)
    ends: dict[str, datetime | None] = {}
    if marked is not None:
        ends[registry] = here.world.now + timedelta(seconds=marked)
    here.place.put(document({registry: password}), foreign(ends))
    return password.reveal()
