"""Which credentials are still in use: the leases of all others may end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core.situation import HoldBack
from rotator.core.worth import entries_now, entries_read

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from rotator.core.candidate import Candidate, Candidates
    from rotator.core.observe import Observation
    from rotator.core.record import Record
    from rotator.core.rotation import Rotation
    from rotator.core.situation import Situation
    from rotator.core.write import Handled


class InUse(Struct, frozen=True):
    """What is in use after the writes of a cycle.

    `replaced`: the registries whose chosen credential is in every target that wants it.
    `published`: the fingerprints of the credentials that some target holds now. `held_until_now`:
    the fingerprints of those that some target held before this cycle wrote. `others_wrote`: whether
    somebody else wrote a target since the cycle before. `sure_at`: when it will be known again what
    each target holds, as one could not be read, or somebody else wrote its value; None where it is
    known now.
    """

    replaced: frozenset[str]
    published: frozenset[str]
    held_until_now: frozenset[str]
    others_wrote: bool
    sure_at: datetime | None


def published(rotation: Rotation, handled: Mapping[str, Handled], record: Record) -> frozenset[str]:
    """Return the fingerprints of the credentials that some target holds.

    One that was not read, because it is paused or can't be reached, holds what it held last.
    """
    entries = [
        entries_now(handled[target.name])
        if target.name in handled
        else record.target(target.name).entries
        for target in rotation.targets
    ]
    return frozenset(entry for one in entries for entry in one.values())


def held_until_now(situations: Iterable[Situation]) -> frozenset[str]:
    """Return the fingerprints of the credentials that targets held before this cycle wrote.

    At its read, and at the end of the cycle before it.
    """
    return frozenset(
        entry for s in situations for entry in (*s.past.entries.values(), *entries_read(s).values())
    )


def others_wrote(situations: Iterable[Situation]) -> bool:
    """Tell whether a target has another mark than at the end of the cycle before."""
    marks = [(s.held.mark, s.past.mark) for s in situations]
    return any(mark is not None and mark.fingerprint != past for mark, past in marks)


def replaced_everywhere(
    observed: Mapping[str, Observation],
    handled: Mapping[str, Handled],
    record: Record,
    chosen: Mapping[str, Candidate],
) -> frozenset[str]:
    """Return the registries whose chosen credential is in every target that wants it."""
    missing: set[str] = set()
    for name, observation in observed.items():
        done = handled.get(name)
        if done is None:
            entries = record.target(name).entries if observation.left_out else {}
            others = [r for r, one in chosen.items() if entries.get(r) != one.fingerprint]
            missing.update(filter(observation.target.policy.wants, others))
        elif done.failure is not None or isinstance(done.decision, HoldBack) or done.stale:
            missing |= done.situation.registries
    return frozenset(chosen.keys() - missing)


def sure_at(
    rotation: Rotation,
    observed: Mapping[str, Observation],
    handled: Mapping[str, Handled],
    now: datetime,
) -> datetime | None:
    """Return when it will be known again what each target holds; None where it is known now."""
    times = [done.again_at for done in handled.values() if done.again_at is not None]
    if any(one.failure is not None for one in observed.values()):
        times.append(now + rotation.schedule.poll)
    return max(times, default=None)


def unused(
    given: Candidates, chosen: Mapping[str, Candidate], standby: Collection[Candidate]
) -> list[Candidate]:
    """Return what sources gave and nobody will use: it was rejected, or it ends sooner."""
    used = {(one.registry, one.fingerprint) for one in (*chosen.values(), *standby)}
    return [one for key, one in given.items() if one.fetched and key not in used]
