"""The core's drivers in the simulated world: a source and a target as one host has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rotator.core.errors import PermanentError, Reason
from rotator.core.ports import Source, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rotator.core.model import Credential, Held, Lease, Mark, Policy, Secret
    from rotator.core.rotation import Rotation
    from tests.simulation.backend import Backend
    from tests.simulation.host import Host
    from tests.simulation.place import Place

# A call that hangs no longer than this is only slow: every deadline is later.
_SLOW = 12.0
# How long after its check a write takes effect, where a place compares and is not atomic.
_GAP = 0.5


class Hang(BaseException):
    """The call hangs until then. Not an `Exception`: the core sees nothing of it so far."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until


def backends_of(rotation: Rotation) -> list[Backend]:
    """Return the servers of a rotation's sources."""
    return [source.backend for source in cast("tuple[SimSource, ...]", rotation.sources)]


def targets_of(rotation: Rotation) -> list[SimTarget]:
    """Return a rotation's targets."""
    return list(cast("tuple[SimTarget, ...]", rotation.targets))


class SimSource(Source):
    """A backend as one host's driver has it."""

    def __init__(self, host: Host, backend: Backend) -> None:
        super().__init__(backend.name, frozenset(backend.registries) if backend.declared else None)
        self.host = host
        self.backend = backend
        self.changes_early = backend.kind == "static"

    def fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:
        """Ask the backend."""
        return self.host.effect(
            f"fetch {self.name}", lambda: self.backend.give(self.host, previous)
        )

    def login_stamp(self) -> str | None:
        """Compare the login's file."""
        return str(self.backend.stamp)

    def revoke(self, lease: Lease) -> None:
        """End a lease at the backend."""
        self.host.effect(f"revoke {lease.id}", lambda: self._revoke(lease))

    def _revoke(self, lease: Lease) -> None:
        problem = self.backend.fault(self.host) if self.backend.fault else None
        state = self.backend.leases.get(lease.id)
        if problem is not None:
            if state is not None:
                state.refused = isinstance(problem, PermanentError)
            raise problem
        if state is None:
            raise PermanentError(Reason.NOT_FOUND, f"no lease {lease.id}", "nothing to do")
        self.host.watch.revoked(self.host, state)
        now = self.host.time.now
        self.host.say(f"revokes {lease.id}: {[token.name for token in state.tokens]}")
        state.revoked_at = min(state.revoked_at, now)
        for token in state.tokens:
            token.dead_at = min(token.dead_at, now)


class SimTarget(Target):
    """A place as one host's driver has it."""

    def __init__(self, host: Host, place: Place, policy: Policy) -> None:
        super().__init__(place.name, policy)
        self.host = host
        self.place = place
        self.compares = place.compares
        self.marks = place.marked
        self.local = place.local
        self.sets_aside = place.stores_damaged

    def with_policy(self, policy: Policy) -> SimTarget:
        """Return this target with another policy."""
        return SimTarget(self.host, self.place, policy)

    def read(self) -> Held:
        """Ask the place."""
        return self.host.effect(f"read {self.name}", self._read)

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Write to the place."""
        return self.host.effect(f"write {self.name}", lambda: self._write(text, mark, replacing))

    def set_aside(self, replacing: Held) -> Held:
        """Store the damaged text beside the document."""
        return self.host.effect(f"set aside {self.name}", lambda: self._store_damaged(replacing))

    def login_stamp(self) -> str | None:
        """Compare the login's file."""
        return str(self.place.stamp)

    def _read(self) -> Held:
        self._hangs()
        if self.place.no_read is not None:
            self.host.unread.add(self.name)
            raise self.place.no_read()
        held = self.place.read(stale=self.host.chance.random() < 0.5)
        text = held.text.reveal() if held.text else None
        self.host.looks.read(self.place, text, withheld=held.withheld)
        return held

    def _store_damaged(self, replacing: Held) -> Held:
        if self.place.no_write is not None:
            raise self.place.no_write()
        self.place.check(replacing.version)
        self.place.store_damaged()
        return self.place.read(stale=False)

    def _write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        place = self.place
        if place.hangs_until > self.host.time.now + _SLOW:
            self._lands_late(text, mark, replacing)
        self._hangs()
        if place.no_write is not None:
            raise place.no_write()
        place.check(replacing.version)
        if place.gap:
            self.host.pass_time(_GAP * self.host.chance.random())
        self._put(text.reveal(), mark)
        self.host.looks.wrote(place)
        return place.read(stale=False)

    def _put(self, text: str, mark: Mark, *, late: bool = False) -> None:
        if not late:
            self.host.watch.writes(self.host, self, text)
        self.place.replace(self.host.name, text, mark)
        self.host.watch.written(self.host, self)

    def _hangs(self) -> None:
        left = self.place.hangs_until - self.host.time.now
        if left > _SLOW:
            raise Hang(self.place.hangs_until)
        if left > 0:
            self.host.pass_time(left)

    def _lands_late(self, text: Secret, mark: Mark, replacing: Held) -> None:
        """Let the write that hangs take effect at last."""
        life = self.host.life

        def land() -> None:
            # The request of a process that has died may be on its way all the same.
            gone = not self.host.alive or self.host.life != life
            if gone and self.host.chance.random() < 0.5:
                return
            if self.place.compares and replacing.version != self.place.version:
                return
            self.host.say(f"its write to {self.name} lands late")
            # Where nothing compares it may undo what came after it: that heals within a poll.
            self._put(text.reveal(), mark, late=True)
            self.place.written_at[f"{self.host.name} (late)"] = self.host.time.now

        self.host.time.at(self.place.hangs_until, land)
