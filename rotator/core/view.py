"""One target as the cycle sees it: what it holds, what is in hand for it, when its entries end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rotator.core import docker_config
from rotator.core.errors import DriverError
from rotator.core.model import Content, Held, Verdict
from rotator.core.rotation import DEAD, FOREVER, InHand

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rotator.core.docker_config import DockerConfig
    from rotator.core.ports import Fingerprint, Target
    from rotator.core.record import TargetRecord


@dataclass(frozen=True, slots=True)
class View:
    """What a wish is made from: one target, what it holds, and what is in hand.

    `served`: the rotation's registries that belong in this target. `hand`: the best credential of
    each. `seen`: the proofs of what targets hold, by registry and fingerprint.
    """

    target: Target
    held: Held
    record: TargetRecord
    rotation: str
    served: frozenset[str]
    hand: Mapping[str, InHand]
    seen: Mapping[tuple[str, str], InHand]
    remove: frozenset[str]
    now: datetime
    fingerprint: Fingerprint = field(repr=False)

    @property
    def marked_by_us(self) -> bool:
        """Tell whether the last rotator that wrote here was this one."""
        mark = self.held.mark
        if mark is None:
            return bool(self.record.fingerprints)
        return mark.fingerprint in self.record.fingerprints

    @property
    def marked_by_another(self) -> bool:
        """Tell whether another rotator wrote here last."""
        return self.held.mark is not None and not self.marked_by_us

    @property
    def marked_end(self) -> Mapping[str, datetime]:
        """Return the ends that the target's mark tells."""
        marks = self.held.mark.expires if self.held.mark else {}
        return {registry: end or FOREVER for registry, end in marks.items()}

    def prints(self, config: DockerConfig) -> dict[str, str]:
        """Return the fingerprint of every login in a document, by registry."""
        return {
            registry: self.fingerprint(docker_config.login_text(*login))
            for registry, login in config.logins().items()
        }

    def end(self, registry: str, there: str | None) -> datetime:
        """Return when an entry with this fingerprint ends; `DEAD` where nothing can be promised."""
        if there is None:
            return DEAD
        mine = self.hand.get(registry)
        if mine is not None and mine.fingerprint == there:
            return mine.end
        seen = self.seen.get((registry, there))
        if seen is not None and seen.proof.verdict is Verdict.REJECTED:
            return DEAD
        if seen is not None and not (seen.adopted and registry not in self.marked_end):
            return seen.end
        return self.marked_end.get(registry, DEAD)

    def ends_held(self) -> dict[str, datetime]:
        """Return when the entry of each registry ends in the target as it was read."""
        if self.target.policy.content is not Content.DOCKER_CONFIG or self.held.withheld:
            return dict.fromkeys(self.served, self.record.end or DEAD)
        try:
            text = self.held.text.reveal() if self.held.text else "{}"
            prints = self.prints(docker_config.decode(text))
        except DriverError:
            return dict.fromkeys(self.served, DEAD)
        return {registry: self.end(registry, prints.get(registry)) for registry in self.served}

    def ends_of_hand(self) -> dict[str, datetime]:
        """Return when the entry of each registry ends once all that is in hand is published."""
        return {
            registry: self.hand[registry].end if registry in self.hand else DEAD
            for registry in self.served
        }
