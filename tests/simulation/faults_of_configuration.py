"""What people change in the configuration while rotators run: they reload it with SIGHUP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core.model import Merge, ProofMode
from tests.simulation.backend import Kind
from tests.simulation.drivers import targets_of
from tests.simulation.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.core.rotation import Rotation


class ConfigurationChanges(Faults):
    """One change at a time, on every host that has what is changed; each is undone later."""

    changed = False

    def kinds(self) -> dict[str, Callable[[], bool]]:
        """Return every change by its name."""
        return {
            "target toggled": self.target_toggled,
            "rotation paused": self.rotation_paused,
            "source toggled": self.source_toggled,
            "target toggled for good": self.target_dropped,
            "longest_job changed": self.longest_job_changed,
            "proof changed": self.proof_changed,
            "merge changed": self.merge_changed,
            "registries changed": self.registries_changed,
            "remove changed": self.remove_changed,
        }

    def target_toggled(self) -> bool:
        """A target is disabled for a while."""
        name = self.chance.choice(self.watch.places).name
        return self._policy(name, "target disabled", enabled=False)

    def merge_changed(self) -> bool:
        """A target gets `merge: replace` for a while."""
        place = self.chance.choice(self.watch.places)
        if len(self.watch.hosts) > 1 or place.one_value:
            return False
        return self._policy(place.name, "merge: replace", merge=Merge.REPLACE)

    def registries_changed(self) -> bool:
        """A target gets fewer registries for a while."""
        place = self.chance.choice(self.watch.places)
        backend = self.chance.choice(self.watch.backends)
        if place.one_value:
            return False
        return self._policy(
            place.name, "registries filtered", registries=frozenset(backend.registries)
        )

    def target_dropped(self) -> bool:
        """A target leaves the configuration for a while."""
        place = self.chance.choice(self.watch.places)
        return self._change(
            f"without {place.name}",
            lambda r: replace(r, targets=tuple(t for t in r.targets if t.name != place.name)),
        )

    def source_toggled(self) -> bool:
        """A source leaves the configuration for a while."""
        backend = self.chance.choice(self.watch.backends)
        if any(len(h.rotation.sources) < 2 for h in self.watch.hosts):
            return False
        return self._change(
            f"without {backend.name}",
            lambda r: replace(r, sources=tuple(s for s in r.sources if s.name != backend.name)),
        )

    def rotation_paused(self) -> bool:
        """The rotation is paused for a while."""
        return self._change("paused", lambda r: replace(r, enabled=False))

    def longest_job_changed(self) -> bool:
        """Jobs take longer, or are over sooner, from now on."""
        factor = self.chance.choice([0.3, 0.5, 2.0, 3.0])

        def change(rotation: Rotation) -> Rotation:
            longest = rotation.schedule.longest_job * factor
            return replace(rotation, schedule=replace(rotation.schedule, longest_job=longest))

        return self._change(f"longest_job times {factor}", change)

    def proof_changed(self) -> bool:
        """Another `prove` is set for a while."""
        mode = self.chance.choice(list(ProofMode))
        return self._change(f"prove: {mode}", lambda r: replace(r, proof=mode))

    def remove_changed(self) -> bool:
        """Entries of others are to be taken out."""
        return self._change("remove", lambda r: replace(r, remove=frozenset({"old.example.com"})))

    def _policy(self, name: str, what: str, **changes: object) -> bool:
        def change(rotation: Rotation) -> Rotation:
            targets = tuple(
                t.with_policy(replace(t.policy, **changes)) if t.name == name else t
                for t in targets_of(rotation)
            )
            return replace(rotation, targets=targets)

        return self._change(f"{what} at {name}", change)

    def _change(self, what: str, change: Callable[[Rotation], Rotation]) -> bool:
        if self.changed:
            return False
        self.changed = True
        before = {host.name: host.rotation for host in self.watch.hosts}
        for host in self.watch.hosts:
            host.reload(change(host.rotation))
        self._needed_no_longer()
        self.time.say("person", f"configures: {what}")
        self.watch.disturbance("configuration", self._recovery)

        def undo() -> None:
            for host in self.watch.hosts:
                host.reload(before[host.name])
            self._needed_no_longer()
            self.time.say("person", f"configures as before: {what}")
            self.watch.disturbance("configuration", self._recovery)
            self.changed = False

        self.time.after(self.duration(), undo)
        return True

    @property
    def _recovery(self) -> float:
        """Return how long it takes until all is right: a renewal, once planned, stays."""
        lives = [b.life for b in self.watch.backends if b.kind is not Kind.STATIC]
        return max(lives, default=0.0) + 2 * self.poll + self.wait

    def _needed_no_longer(self) -> None:
        """Believe a person who says that no job takes longer than so."""
        longest = max(h.rotation.schedule.longest_job for h in self.watch.hosts).total_seconds()
        for token in self.watch.world.tokens.values():
            token.needed_until = min(token.needed_until, self.time.now + longest)
