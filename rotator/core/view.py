"""One target as the cycle sees it, and the words for what should become of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core import docker_config
from rotator.core.errors import DriverError
from rotator.core.model import Content, Held, Mark, Secret, Verdict
from rotator.core.rotation import DEAD, FOREVER, InHand

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from rotator.core.docker_config import DockerConfig
    from rotator.core.ports import Fingerprint, Target
    from rotator.core.record import TargetRecord


class View(Struct, frozen=True):
    """What a wish is made from: one target, what it holds, and what is in hand.

    `served`: the rotation's registries that belong in this target. `hand`: the best credential of
    each. `seen`: the proofs of what targets hold, by registry and fingerprint. `rejected`: the
    registries that no longer accept what was in hand when the last cycle ended. `told`: `served`
    is all; some source has yet to tell its registries where it is not.
    """

    target: Target
    held: Held
    record: TargetRecord
    rotation: str
    served: frozenset[str]
    hand: Mapping[str, InHand]
    seen: Mapping[tuple[str, str], InHand]
    rejected: frozenset[str]
    remove: frozenset[str]
    now: datetime
    fingerprint: Fingerprint
    told: bool = True

    @property
    def marked_by_another(self) -> bool:
        """Tell whether another rotator wrote here last."""
        mark = self.held.mark
        return mark is not None and mark.fingerprint not in self.record.fingerprints

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
        if self.held.withheld:
            return self.ends_recorded()
        if self.target.policy.content is not Content.DOCKER_CONFIG:
            return self._ends_of_half()
        try:
            text = self.held.text.reveal() if self.held.text else "{}"
            prints = self.prints(docker_config.decode(text))
        except DriverError:
            return dict.fromkeys(self.served, DEAD)
        return {registry: self.end(registry, prints.get(registry)) for registry in self.served}

    def _ends_of_half(self) -> dict[str, datetime]:
        """A username or password alone can't be proven: it is ours, another rotator's, or dead."""
        text = self.held.text
        if text is not None and self.fingerprint(text.reveal()) == self.record.written:
            return self.ends_recorded()
        if text is not None and self.marked_by_another:
            return self.ends_marked()
        return dict.fromkeys(self.served, DEAD)

    def half_print(self) -> str | None:
        """Return the fingerprint of the login that the password here makes with our username."""
        mine = self.hand.get(self.target.policy.registry or "")
        if mine is None or self.held.text is None:
            return None
        if self.target.policy.content is not Content.PASSWORD:
            return None
        login = docker_config.login_text(mine.credential.username, self.held.text)
        return self.fingerprint(login)

    def ends_recorded(self) -> dict[str, datetime]:
        """Return when the entry of each registry ends as far as the journal knows."""
        return recorded_ends(self.record, self.served, self.hand, self.rejected)

    def ends_marked(self) -> dict[str, datetime]:
        """Return when the entry of each registry ends as far as the target's mark tells."""
        return {registry: self.marked_end.get(registry, DEAD) for registry in self.served}

    @property
    def marked_to_last(self) -> bool:
        """Tell whether another rotator's mark tells of no sooner end than what is in hand."""
        ends = self.ends_marked()
        return self.marked_by_another and all(
            ends[registry] >= mine.end for registry, mine in self.hand.items()
        )

    def is_as_written(self, fingerprint: str) -> bool:
        """Tell whether a value that can't be read may still be this one, which we wrote."""
        ours = not self.marked_by_another or self.marked_to_last
        return ours and fingerprint == self.record.written

    def ends_of_hand(self) -> dict[str, datetime]:
        """Return when the entry of each registry ends once all that is in hand is published."""
        return {
            registry: self.hand[registry].end if registry in self.hand else DEAD
            for registry in self.served
        }


class Change(Struct, frozen=True):
    """One entry of a target that a write changes: fingerprints before and after, and why."""

    registry: str
    before: str | None
    after: str | None
    why: str


class Document(Struct, frozen=True):
    """A text to be written, and the mark that goes with it."""

    text: Secret
    mark: Mark


class Wish(Struct, frozen=True):
    """What to do with a target.

    `document` is what is to be written, None where nothing is; `held_back` says why nothing can be.
    `ends` tells for each registry of the rotation when its entry ends once the wish has come true.
    `stale`: the target was read too soon after our write to be believed.
    """

    ends: Mapping[str, datetime]
    document: Document | None = None
    held_back: DriverError | None = None
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    stale: bool = False


def recorded_ends(
    record: TargetRecord,
    served: Iterable[str],
    hand: Mapping[str, InHand],
    rejected: Collection[str],
) -> dict[str, datetime]:
    """Return when the entries end of a target that can't be read: never later than what is in hand.

    `served`, `hand`, `rejected`: as in a view.
    """
    ends = {r: DEAD if r in rejected else record.ends.get(r, DEAD) for r in served}
    return {r: min(end, hand[r].end) if r in hand else end for r, end in ends.items()}
