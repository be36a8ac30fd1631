"""The core's ports in the simulated world: a source, a target and a journal of one host."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rotator.core.looking import READ

from rotator.core.errors import PermanentError, Reason
from rotator.core.ports import Source, Target
from rotator.core.record import Record
from tests.simulation.timeline import FOREVER
from tests.simulation.world import MemoryJournal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rotator.core.model import Credential, Held, Lease, Mark, Policy, Secret
    from tests.simulation.backend import Backend
    from tests.simulation.host import Host
    from tests.simulation.outside import Place

# A call that hangs no longer than this is only slow: every deadline is later.
_SLOW = 12.0


class Hang(BaseException):
    """The call hangs until then. Not an `Exception`: the core is not told before the deadline."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until


@dataclass(frozen=True, slots=True)
class Promise:
    """What a record says to jobs, and when the cycle began that found it so.

    `unproven`: registries that could not be asked in that cycle. `stale`: places that answered
    with an older document than they held. `asked`: the passwords that were proven in it. `read_at`:
    when each target was read last. `ahead`: some end was told on a clock ahead of this host's.
    """

    safe_until: datetime
    looked_at: float
    unproven: frozenset[str]
    stale: frozenset[str]
    asked: frozenset[str]
    read_at: Mapping[str, float]
    ahead: bool


class SimSource(Source):
    """A backend as one host's driver sees it."""

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
        """Look at the login's file."""
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
        self.host.say(f"revokes {lease.id}: {[token.password for token in state.tokens]}")
        state.revoked_at = min(state.revoked_at, now)
        for token in state.tokens:
            token.dead_at = min(token.dead_at, now)


class SimTarget(Target):
    """A place as one host's driver sees it; `seen` is the text of its last read."""

    def __init__(self, host: Host, place: Place, policy: Policy) -> None:
        super().__init__(place.name, policy)
        self.host = host
        self.place = place
        self.compares = place.compares
        self.seen: str | None = None
        self.read_stale = False
        self.read_at = -FOREVER

    def read(self) -> Held:
        """Ask the place."""
        began = self.host.time.now
        held = self.host.effect(f"read {self.name}", self._read)
        if self.host.time.now - began <= READ and not self.read_stale:
            self.read_at = self.host.time.now
        return held

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Write to the place."""
        return self.host.effect(f"write {self.name}", lambda: self._write(text, mark, replacing))

    def login_stamp(self) -> str | None:
        """Look at the login's file."""
        return str(self.place.stamp)

    def _read(self) -> Held:
        self._hangs()
        if self.place.no_read is not None:
            raise self.place.no_read()
        held = self.place.look(stale=self.host.chance.random() < 0.5)
        text = held.text.reveal() if held.text else None
        self.read_stale = text != self.place.text and not held.withheld
        self.seen = self.place.text if held.withheld else text
        return held

    def _write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        if self.place.hangs_until > self.host.time.now + _SLOW:
            self._lands_late(text, mark, replacing)
        self._hangs()
        if self.place.no_write is not None:
            raise self.place.no_write()
        self._put(text.reveal(), mark, replacing.version)
        return self.place.look(stale=False)

    def _put(self, text: str, mark: Mark, version: object, *, late: bool = False) -> None:
        if not late or self.compares:
            self.host.watch.writes(self.host, self, text, version)
        self.place.replace(self.host.name, text, mark, version)
        self.host.watch.written(self.host, self)

    def _hangs(self) -> None:
        left = self.place.hangs_until - self.host.time.now
        if left > _SLOW:
            raise Hang(self.place.hangs_until)
        if left > 0:
            self.host.pass_time(left)

    def _lands_late(self, text: Secret, mark: Mark, replacing: Held) -> None:
        """Let the write that hangs take effect at last, as the outside sees it then."""
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
            self._put(text.reveal(), mark, replacing.version, late=True)
            self.place.written_at[f"{self.host.name} (late)"] = self.host.time.now

        self.host.time.at(self.place.hangs_until, land)


class SimJournal(MemoryJournal):
    """A journal on the host's disk. `kept` is the record as saved last, `promise` what it says."""

    def __init__(self, host: Host) -> None:
        super().__init__(f"{host.name}/1")
        self.host = host
        self.kept = Record()
        self.promise: Promise | None = None
        self.lost_at = 0.0

    def load(self) -> Record:
        """Read the file."""
        return self.host.effect("load", super().load)

    def save(self, record: Record) -> None:
        """Write the file."""
        self.host.effect("save", lambda: self._save(record))

    def cycle_ended(self) -> None:
        """Nothing to do here: a planted bug keeps its saves until then."""

    def lose(self) -> None:
        """Lose the file, and the key of the fingerprints with it."""
        self.text, self.kept, self.promise = Record().dump(), Record(), None
        self.key = f"{self.key}'"
        self.lost_at = self.host.time.now

    def _save(self, record: Record) -> None:
        self.host.watch.saves(self.host, self.kept, record)
        before, self.kept = self.kept, record
        super().save(record)
        if record.ended_at != before.ended_at:
            self.promise = self._promise(record)
        elif record.safe_until != before.safe_until and self.promise is not None:
            # Before a write that ends sooner than what was there.
            end = record.safe_until
            self.promise = end and replace(self.promise, safe_until=end)

    def _promise(self, record: Record) -> Promise | None:
        if not record.job_safe or record.safe_until is None:
            return None
        host = self.host
        targets = [t for t in host.rotation.targets if isinstance(t, SimTarget)]
        return Promise(
            safe_until=record.safe_until,
            looked_at=host.cycle_began,
            unproven=frozenset(host.unproven),
            stale=frozenset(target.name for target in targets if target.read_stale),
            asked=frozenset(host.asked),
            read_at={target.name: target.read_at for target in targets},
            ahead=host.watch.told_ahead(host),
        )
