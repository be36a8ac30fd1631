"""A rotation: sources to targets, on a schedule; and the ports that a cycle of it needs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core.model import ProofMode, Schedule

if TYPE_CHECKING:
    from collections.abc import Collection

    from rotator.core.ports import Clock, Each, Journal, Pause, Prove, Random, Source, Target
    from rotator.core.record import Record, SourceRecord


class Rotation(Struct, frozen=True):
    """What the configuration says about one rotation, with its drivers built.

    `settle`: how long a fetched credential may need until its registry knows it.
    """

    name: str
    sources: tuple[Source, ...]
    targets: tuple[Target, ...]
    schedule: Schedule = Schedule()
    proof: ProofMode = ProofMode.LENIENT
    remove: frozenset[str] = frozenset()
    enabled: bool = True
    settle: timedelta = timedelta(minutes=2)

    def sources_by_registry(self, record: Record) -> dict[str, str]:
        """Return the name of the source of each registry, as far as the registries are known."""
        return {
            registry: source.name
            for source in reversed(self.sources)  # of two sources for one registry the first counts
            for registry in sorted(registries_of(source, record.source(source.name)))
        }

    def is_complete(self, record: Record) -> bool:
        """Tell whether all registries are known: those of some sources only a fetch can tell."""
        return all(registries_of(s, record.source(s.name)) for s in self.sources)

    def within_settle(self, since: datetime, now: datetime) -> bool:
        """Tell whether a registry that rejects a credential since then may still learn of it."""
        return since <= now < since + self.settle


def registries_of(source: Source, past: SourceRecord) -> Collection[str]:
    """Return a source's registries: those of the configuration, else those that it gave."""
    return source.registries or past.registries


class At(Struct, frozen=True):
    """The time now, and the random numbers that a time in the future is spread by."""

    now: datetime
    random: Random


class Ports(Struct, frozen=True):
    """What one cycle needs from its surroundings."""

    journal: Journal
    prove: Prove
    each: Each
    clock: Clock
    random: Random
    pause: Pause

    def at(self) -> At:
        """Return the time now with the random numbers."""
        return At(self.clock(), self.random)
