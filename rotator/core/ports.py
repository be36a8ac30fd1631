"""What the core needs: sources, targets, a journal, a proof, a clock, a random number, a fan-out.

Drivers do one thing and raise: they never retry, sleep, log or swallow an error. Every error that
they raise on purpose is a `DriverError` (see `core.errors`). Each call has a deadline of its own
inside the driver (connect and read timeouts); the fan-out's deadline is for calls that still hang.
What a driver can do beyond its abstract methods is declared here, as a class attribute or as a
method with a default.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from rotator.core.model import Credential, Held, Lease, Mark, Policy, Proof, Secret

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.core.record import Record

Item = TypeVar("Item")
Answer = TypeVar("Answer")

Clock = Callable[[], datetime]
"""The time now, as an aware UTC datetime."""

Random = Callable[[], float]
"""A random number in [0, 1)."""

Pause = Callable[[float], None]
"""Waits for so many seconds."""

Prove = Callable[[Credential], Proof]
"""Shows a credential to its registry. Never raises: without a clear answer it is `unknown`."""

Fingerprint = Callable[[str], str]
"""A keyed hash that names a text without showing it: `hmac:` and 12 hexadecimal digits."""


class Driver(NamedTuple):
    """A kind of source or target: the module that builds one, and the module that inspects one.

    `inspection` has `inspect(settings, case)`, which `rotator check` calls: it asks, yields what it
    finds, raises the driver's own errors, and changes nothing.
    """

    module: str
    inspection: str


class Each(Protocol):
    """Calls `call` on every item at once and returns the answers in the items' order.

    An exception is an answer. A call that has not returned after `seconds` gets a `TemporaryError`
    with reason `timeout` as its answer, and its item is not called again until it has returned.
    Items with the same `server` (see `Target`) are called a few at a time; then the seconds count
    from when each call begins.
    """

    def __call__(
        self, call: Callable[[Item], Answer], items: Sequence[Item], seconds: float
    ) -> list[Answer | Exception]:
        """Return one answer or exception for each item."""
        ...


class Source(ABC):
    """Where fresh credentials come from. `name` is unique in its rotation.

    `registries` are those that the configuration names, None where only a fetch can tell.
    `changes_early`: its credentials can change before their end (Vault KV, a file), so it is asked
    again each `poll`; read after a fetch. `revoke_after`: how long a replaced lease is left alive
    for running jobs (None: `longest_job`). `learned`: what a fetch found out about the server that
    the next one need not ask, no secret; the journal holds it over a restart. `configured`: what
    changes when its configuration does, no secret; whoever builds it sets it.
    """

    name: str
    registries: frozenset[str] | None
    changes_early: bool = False
    revoke_after: timedelta | None = None
    learned: str = ""
    configured: str = ""

    def __init__(self, name: str, registries: frozenset[str] | None) -> None:
        self.name = name
        self.registries = registries

    @property
    def token_expires_at(self) -> datetime | None:
        """When the driver's own login ends; None where it does not, or nobody knows yet."""
        return None

    @abstractmethod
    def fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:
        """Return a fresh credential for each registry of this source.

        `previous` are the credentials of this source that the rotation uses now. A source with
        leases returns them with a later end where the server lengthens the lease, and new ones
        where it does not.
        """

    def login_stamp(self) -> str | None:
        """Return what changes when the login does: its secret, or how it is configured.

        None: there is nothing to compare. Asks no server and reads no file (inode, size, mtime are
        enough); it is stored over a restart, so it must not show a secret.
        """
        return None

    def revoke(self, lease: Lease) -> None:
        """End a lease that this source made; only called by those that give leases."""
        raise NotImplementedError


class Target(ABC):
    """Where the document is published. `name` is unique in its rotation.

    `compares`: write() raises `ConflictError` where the target changed since `replacing` was read.
    Where it can't, the core reads again just before it writes. `marks`: it can carry a mark.
    `local`: jobs read it on this machine, so a read that fails here fails for them too. `server`:
    its server, where this can hold more targets than it can take calls at once. `sets_aside`: it
    can hold a damaged text beside the document, see `set_aside`. `probes_writes`: it can ask its
    server whether it would take a write, see `probe_write`. `completes`: more than the document
    belongs to it, see `complete`. `watched`: a file; a daemon begins a cycle when it changes.
    `is_group`: it stands for many targets, see `members`; each of these names it as its `group`.
    `configured`: what changes when its place does; whoever builds it sets it.
    """

    name: str
    policy: Policy
    compares: bool = True
    marks: bool = True
    local: bool = False
    server: str | None = None
    sets_aside: bool = False
    probes_writes: bool = False
    completes: bool = False
    watched: Path | None = None
    is_group: bool = False
    group: str | None = None
    configured: str = ""

    def __init__(self, name: str, policy: Policy) -> None:
        self.name = name
        self.policy = policy

    @property
    def token_expires_at(self) -> datetime | None:
        """When the driver's own login ends; see `Source.token_expires_at`."""
        return None

    @abstractmethod
    def read(self) -> Held:
        """Return what is there now; `Held(None)` where there is nothing."""

    @abstractmethod
    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Put `text` and `mark` there, whole or not at all, and return what is there now.

        Creates what is missing. The answer is the write's own confirmation, no further read: what
        the server says that it holds, where it says so.
        """

    def login_stamp(self) -> str | None:
        """Return what changes when the login does; see `Source.login_stamp`.

        None: a login that was refused may be offered again at any time.
        """
        return None

    def members(self) -> Sequence[Target]:
        """Return the targets that a group stands for now: one object in each of many namespaces.

        Called once a cycle, like a read.
        """
        return (self,)

    def set_aside(self, replacing: Held) -> Held:
        """Store the damaged text that is there beside the document, and return what is there now.

        Under `PATH.broken` beside a file, under `KEY.broken` in a ConfigMap or Secret.
        """
        raise NotImplementedError

    def probe_write(self, text: Secret, mark: Mark, replacing: Held) -> None:
        """Ask the server whether it would take this write; raise what the write would raise."""
        raise NotImplementedError

    def complete(self, held: Held) -> None:
        """Complete what belongs to the document, where the document itself did not change."""
        raise NotImplementedError

    def other_manager(self, held: Held) -> str | None:
        """Return who else writes this target by a rule of its own, where the server says so."""
        del held
        return None

    def manager_advice(self, manager: str) -> str:
        """Return what makes another manager leave the document alone."""
        return f"make {manager} leave it alone, or publish elsewhere"


class Journal(Protocol):
    """What targets can't hold, stored over a restart; see `core.record`. Never fails a cycle."""

    def load(self) -> Record:
        """Return the record last saved, or an empty one where there is none to be read."""
        ...

    def save(self, record: Record, *, lasting: bool = True) -> None:
        """Store the record, whole; it outlives the process.

        `lasting`: and a power failure. Else the record before it may come back after one.
        """
        ...

    def fingerprint(self, text: str) -> str:
        """Return `hmac:` and 12 hexadecimal digits, the same for the same text in this journal."""
        ...
