"""The step that chooses one candidate for each registry: the one that targets should hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.core.model import ProofMode

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from rotator.core.candidate import Candidate, Candidates
    from rotator.core.rotation import Rotation


def choose(candidates: Candidates, rotation: Rotation, now: datetime) -> dict[str, Candidate]:
    """Return the best candidate of each registry that has a usable one."""
    by_registry: dict[str, list[Candidate]] = {}
    for one in candidates.values():
        by_registry.setdefault(one.registry, []).append(one)
    best = {registry: choose_one(ones, rotation, now) for registry, ones in by_registry.items()}
    return {registry: one for registry, one in best.items() if one is not None}


def choose_one(
    candidates: Collection[Candidate], rotation: Rotation, now: datetime
) -> Candidate | None:
    """Return the best of one registry's candidates; None where none is usable.

    A proven candidate is not replaced by one that could not be proven, as long as the proven one
    lasts for longer than the reserve.
    """
    usable = [one for one in candidates if is_usable(one, rotation.proof, now)]
    best = max(usable, key=lambda one: one.rank, default=None)
    if best is None or best.accepted:
        return best
    proven = max((one for one in usable if one.accepted), key=lambda one: one.rank, default=None)
    reserve = rotation.schedule.reserve
    is_safe = proven is not None and proven.end_known and proven.end - now > reserve
    return proven if is_safe else best


def is_usable(one: Candidate, mode: ProofMode, now: datetime) -> bool:
    """Tell whether a candidate may be published.

    It may only if its registry accepted it: with `prove: strict`, and where somebody put it into a
    target without a mark that gives its end.
    """
    if one.rejected or one.has_ended(now):
        return False
    if one.foreign and not one.end_known and not one.accepted:
        return False
    return mode is not ProofMode.STRICT or one.accepted


def standby_of(
    candidates: Candidates, chosen: Mapping[str, Candidate], now: datetime
) -> list[Candidate]:
    """Return the credentials of ours that wait beside the chosen ones, to be proven again.

    Their registries do not know them yet, or could not be asked about them.
    """
    return [one for one in candidates.values() if _waits(one, chosen.get(one.registry), now)]


def _waits(one: Candidate, chosen: Candidate | None, now: datetime) -> bool:
    if one.foreign or one.superseded or one.has_ended(now) or not one.end_known:
        return False
    if one.rejected:
        return one.pending
    newer = chosen is None or (one.fingerprint != chosen.fingerprint and one.end >= chosen.end)
    return newer and not one.accepted
