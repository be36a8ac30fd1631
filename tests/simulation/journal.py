"""A host's journal, and what the record in it promises to jobs, with what the host then knew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rotator.core.record import Record
from tests.simulation.timeline import FOREVER
from tests.simulation.world import MemoryJournal

if TYPE_CHECKING:
    from datetime import datetime

    from tests.simulation.host import Host
    from tests.simulation.place import Place


COMMIT = 30.0
"""Seconds after which a disk has what was written, though nobody asked for it."""


class Look(NamedTuple):
    """Which state of a place a host knows, and since when."""

    epoch: int
    at: float


class Covered(NamedTuple):
    """One registry's entry in one place that a promise is about; `longest`: a job, in seconds."""

    place: Place
    registry: str
    longest: float


@dataclass(frozen=True, slots=True)
class Promise:
    """What a record says to jobs, and what the host knew in the cycle that began at `began`.

    `looks`: the state of each place that it knows. `unread`: places that it could not read in that
    cycle. `silent`: registries that could not be asked in it. `known`: passwords
    that it had in memory.
    """

    safe_until: datetime
    began: float
    covers: tuple[Covered, ...]
    looks: dict[str, Look]
    unread: frozenset[str]
    silent: frozenset[str]
    known: frozenset[str]


class Looks:
    """What one process has learnt about places, in this cycle and before.

    `texts`: what the last read of each place returned. `entries`: the entries that this process
    read or wrote last.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.last: dict[str, Look] = {}
        self.texts: dict[str, str | None] = {}
        self.entries: dict[str, dict[str, object]] = {}
        self.in_cycle: set[str] = set()
        self.earlier: dict[str, Look | None] = {}

    def begin(self) -> None:
        """Note that a cycle begins."""
        self.in_cycle = set()

    def forget(self) -> None:
        """Note that the process has died."""
        self.entries = {}

    def read(self, place: Place, text: str | None, *, withheld: bool) -> None:
        """Note what a read returned."""
        self.texts[place.name] = place.text if withheld else text
        if not withheld and (text != place.text or place.looks_late(self.host.name)):
            # It returned what was there before.
            self.host.unread.add(place.name)
            self.in_cycle.discard(place.name)
            self.last[place.name] = Look(-1, self.host.time.now)
            return
        self.earlier[place.name] = self.last.get(place.name)
        self.last[place.name] = Look(place.epoch, self.host.time.now)
        self.in_cycle.add(place.name)
        if place.document.readable:
            self.entries[place.name] = dict(place.document.auths)

    def came_too_late(self, name: str) -> None:
        """Note that nobody waited for the last read."""
        earlier = self.earlier.get(name)
        if name in self.in_cycle and earlier is not None:
            self.last[name] = earlier
        self.in_cycle.discard(name)

    def wrote(self, place: Place) -> None:
        """Note that a write took effect."""
        self.texts[place.name] = place.text
        self.entries[place.name] = dict(place.document.auths)
        if place.local and place.no_read is not None:
            # Since the read, nobody on this machine can read it any more.
            return
        look = Look(place.epoch, self.host.time.now)
        self.last[place.name] = look
        # A credsStore that a person set since the promise was made stays, and is said at the end.
        promise, stored = self.host.journal.promise, place.document.rest.get("credsStore")
        if promise is not None and not stored:
            promise.looks[place.name] = look

    def raced(self, place: Place) -> bool:
        """Tell whether a place holds something else than this host read last."""
        return self.texts.get(place.name) != place.text


class Snapshot(NamedTuple):
    """A journal as it was at some time: the record, and the key of its fingerprints beside it."""

    key: str
    text: str
    saved: Record
    promise: Promise | None


class SimJournal(MemoryJournal):
    """A journal on the host's disk. `saved` is the record as saved last, `promise` what it says."""

    def __init__(self, host: Host) -> None:
        super().__init__(f"{host.name}/1")
        self.host = host
        self.keys = 1
        self.saved = Record()
        self.promise: Promise | None = None
        self.lost_at = -FOREVER
        self.snapshot = self.copy()
        self.on_disk = self.copy()
        self.saved_at = -FOREVER

    def load(self) -> Record:
        """Read the file."""
        return self.host.effect("load", super().load)

    def save(self, record: Record, *, lasting: bool = True) -> None:
        """Write the file."""
        self.host.effect("save", lambda: self._save(record, lasting=lasting))

    def copy(self) -> Snapshot:
        """Return what is in it now."""
        return Snapshot(self.key, self.text, self.saved, self.promise)

    def restore(self, snapshot: Snapshot) -> None:
        """Hold what was in it, or in another one, at some time."""
        self.key, self.text, self.saved, self.promise = snapshot
        self._lost()

    def lose_power(self) -> None:
        """Hold what the last lasting save wrote, where what came after it is not yet on the disk.

        That is no loss to be excused: the host knew what such a save is worth.
        """
        if self.host.died_at - self.saved_at < COMMIT:
            self.key, self.text, self.saved, self.promise = self.on_disk

    def lose(self) -> None:
        """Lose the file, and the key of the fingerprints with it."""
        self.text, self.saved, self.promise = Record().dump(), Record(), None
        self.keys += 1
        self.key = f"{self.host.name}/{self.keys}"
        self._lost()

    def _lost(self) -> None:
        """Note the loss. Now it is the marks that tell ends, also one that could not be renewed."""
        self.lost_at = self.host.time.now
        self.on_disk = self.copy()
        for place in self.host.watch.places:
            for lease in place.leases():
                for token in lease.tokens:
                    token.ahead = max(token.ahead, token.furthest)

    def _save(self, record: Record, *, lasting: bool) -> None:
        if self.host.time.now - self.saved_at >= COMMIT:
            self.on_disk = self.copy()
        self.saved_at = self.host.time.now
        self.host.watch.saves(self.host, self.saved, record)
        before, self.saved = self.saved, record
        super().save(record)
        if (record.ended_at, record.whole_at) != (before.ended_at, before.whole_at):
            self.promise = self._promise(record)
        elif record.safe_until != before.safe_until and self.promise is not None:
            # Before a write that ends sooner than what was there.
            p, end = self.promise, record.safe_until
            self.promise = None
            if end is not None:
                self.promise = Promise(end, p.began, p.covers, p.looks, p.unread, p.silent, p.known)
        if lasting:
            self.on_disk = self.copy()

    def _promise(self, record: Record) -> Promise | None:
        if not record.job_safe or record.safe_until is None:
            return None
        host = self.host
        looks, unread = dict(host.looks.last), set()
        # A part of a cycle, or a cycle of some targets, says of the others what is known of them.
        whole = record.whole_at == record.ended_at
        for covered in host.covers:
            place = covered.place
            if place.name in host.looks.in_cycle:
                continue
            if whole and host.could_read(place):
                # It did not read what it could have read: it is to know it all the same.
                looks[place.name] = Look(place.epoch, host.cycle_began)
            else:
                unread.add(place.name)
        return Promise(
            safe_until=record.safe_until,
            began=host.cycle_began,
            covers=host.covers,
            looks=looks,
            unread=frozenset(unread),
            silent=frozenset(c.registry for c in host.covers if not host.can_ask(c.registry)),
            known=frozenset(host.known_passwords),
        )
