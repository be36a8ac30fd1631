"""What the steps of a cycle find and do, for those that come after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core.model import Credential
from rotator.core.report import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rotator.core.model import Held
    from rotator.core.ports import Draw
    from rotator.core.record import Record
    from rotator.core.rotation import InHand, Rotation
    from rotator.core.view import View, Wish

Memory = tuple[Credential, ...]
"""The credentials in hand at the end of a cycle: a daemon gives them to the next one."""


class Moment(Struct, frozen=True):
    """The time and the chance that a step of the record is made with."""

    now: datetime
    draw: Draw


class Answered(Struct, frozen=True):
    """What a source answered: credentials or a problem, and how many seconds it took.

    `login_stamp`: what its login secret looked like when it was asked.
    """

    credentials: tuple[Credential, ...] = ()
    problem: Problem | None = None
    seconds: float = 0.0
    login_stamp: str | None = None


class Looked(Struct, frozen=True):
    """What came of reading a target: what it holds, or a problem.

    `stamp`: what its login secret looked like then. `again`: it was not asked, as its login was
    refused before; the problem is the one from then.
    """

    held: Held | None = None
    problem: Problem | None = None
    stamp: str | None = None
    again: bool = False


class Published(Struct, frozen=True):
    """What came of a target's wish; `view` and `wish` are those of the last try."""

    view: View
    wish: Wish
    problem: Problem | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def trouble(self) -> Problem | None:
        """Return why the target does not hold what it should, if it does not."""
        if self.problem is None and self.wish.held_back is not None:
            return Problem.of(self.wish.held_back)
        return self.problem

    @property
    def ends(self) -> Mapping[str, datetime]:
        """Return when each registry's entry ends in what the target holds now."""
        return self.view.ends_held() if self.problem is not None else self.wish.ends

    def holds(self, mine: InHand) -> bool:
        """Tell whether the target has this credential, or has no use for it."""
        registry = mine.credential.registry
        if registry not in self.view.served:
            return True
        return self.trouble is None and not self.wish.stale


class Facts(Struct, frozen=True):
    """Everything that a cycle found and did.

    `rejected`: registries that no longer accept what was in hand when the last cycle ended.
    """

    rotation: Rotation
    before: Record
    record: Record
    hand: Mapping[str, InHand]
    answers: Mapping[str, Answered]
    refused: Mapping[str, InHand]
    rejected: frozenset[str]
    looked: Mapping[str, Looked]
    published: Mapping[str, Published]
    notes: tuple[str, ...]
    dry_run: bool
    started: datetime
    served: Mapping[str, str] = {}
