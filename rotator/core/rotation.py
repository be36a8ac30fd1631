"""A rotation: sources to targets, on a schedule; and what is in hand for it during a cycle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core.model import Credential, Proof, ProofMode, Schedule, Verdict

if TYPE_CHECKING:
    from rotator.core.ports import Clock, Draw, Each, Journal, Prove, Source, Target
    from rotator.core.record import Record

# Ends that sort with real ones: what works without an end, and what does not work at all.
FOREVER = datetime.max.replace(tzinfo=UTC)
DEAD = datetime.min.replace(tzinfo=UTC)


class Rotation(Struct, frozen=True):
    """What the configuration says about one rotation, with its drivers built."""

    name: str
    sources: tuple[Source, ...]
    targets: tuple[Target, ...]
    schedule: Schedule = Schedule()
    proof: ProofMode = ProofMode.LENIENT
    remove: frozenset[str] = frozenset()
    enabled: bool = True

    def served(self, record: Record) -> dict[str, str]:
        """Return the registries of this rotation and the source of each, as far as is known."""
        return {
            registry: source.name
            for source in reversed(self.sources)  # of two for one registry the first counts
            for registry in sorted(source.registries or record.source(source.name).registries)
        }

    def told(self, record: Record) -> bool:
        """Tell whether all sources' registries are known: some are only told by a fetch."""
        return all(s.registries or record.source(s.name).registries for s in self.sources)


class Ports(Struct, frozen=True):
    """The outside, as one cycle needs it."""

    journal: Journal
    prove: Prove
    each: Each
    clock: Clock
    draw: Draw


UNPROVEN = Proof(Verdict.UNKNOWN)


class InHand(Struct, frozen=True):
    """A credential that could be published now.

    `fresh`: fetched in this cycle and not seen before. `adopted`: somebody else fetched it.
    `vouched`: a fetch, the journal or a mark tells its end; otherwise it may end at any moment.
    `outdated`: the journal knows of one that replaced it.
    """

    credential: Credential
    fingerprint: str
    source: str
    proof: Proof = UNPROVEN
    fresh: bool = False
    adopted: bool = False
    vouched: bool = True
    outdated: bool = False

    @property
    def end(self) -> datetime:
        """When it ends: `FOREVER` if never, `DEAD` where nobody can tell."""
        return (self.credential.expires_at or FOREVER) if self.vouched else DEAD

    @property
    def rank(self) -> tuple[bool, datetime, bool]:
        """What makes one credential better: not replaced, a later known end, then being ours."""
        return (not self.outdated, self.end, not self.adopted)
