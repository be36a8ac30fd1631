"""A world in memory: a clock, registries, sources and targets that the real core acts on.

Everything happens on the caller's thread, so that a test can crash the core inside any call.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from rotator.core.errors import ConflictError, PermanentError, Reason
from rotator.core.model import Credential, Held, Lease, Mark, Policy, Proof, Secret, Verdict
from rotator.core.ports import Answer, Item, Source, Target
from rotator.core.record import Record
from rotator.core.rotation import Ports
from tests.support import MARKED, NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Crash(BaseException):
    """The process dies here: nothing in the core may catch it."""


@dataclass
class World:
    """The clock, and the passwords that each registry accepts with their ends (None: for ever)."""

    now: datetime = NOW
    valid: dict[tuple[str, str], datetime | None] = field(default_factory=dict)
    unreachable: set[str] = field(default_factory=set)
    draws: Callable[[], float] = lambda: 0.5
    issued: int = 0
    proofs: int = 0

    def clock(self) -> datetime:
        """Return the time, as the core has it."""
        return self.now

    def pass_time(self, seconds: float) -> None:
        """Let time go by."""
        self.now += timedelta(seconds=seconds)

    def issue(self, registry: str, seconds: float | None) -> Secret:
        """Make a password that the registry accepts for so long."""
        self.issued += 1
        password = f"{MARKED}{self.issued}"
        end = None if seconds is None else self.now + timedelta(seconds=seconds)
        self.valid[registry, password] = end
        return Secret(password)

    def accepts(self, registry: str, password: str) -> bool:
        """Tell whether a job can pull with this password now."""
        if (registry, password) not in self.valid:
            return False
        end = self.valid[registry, password]
        return end is None or self.now < end

    def prove(self, login: Credential) -> Proof:
        """Show a credential to its registry."""
        self.proofs += 1
        if login.registry in self.unreachable:
            return Proof(Verdict.UNKNOWN, "connection refused")
        good = self.accepts(login.registry, login.password.reveal())
        return Proof(Verdict.ACCEPTED if good else Verdict.REJECTED, "" if good else "401")

    def ports(self, journal: MemoryJournal) -> Ports:
        """Return the ports of one rotator in this world."""
        return Ports(journal, self.prove, each, self.clock, self.draws, self.pass_time)


def each(
    call: Callable[[Item], Answer], items: Sequence[Item], seconds: float
) -> list[Answer | Exception]:
    """Fan out without threads; an exception is an answer, a crash is a crash."""
    answers: list[Answer | Exception] = []
    for item in items:
        try:
            answers.append(call(item))
        except Exception as error:  # noqa: BLE001  what the port promises
            answers.append(error)
    return answers


class MemoryJournal:
    """A journal that goes through the same text as the one on disk."""

    def __init__(self, key: str = "one") -> None:
        self.text = Record().dump()
        self.key = key
        self.saves = 0
        self.lasting: list[bool] = []

    def load(self) -> Record:
        """Return what was saved last."""
        return Record.parse(self.text)

    def save(self, record: Record, *, lasting: bool = True) -> None:
        """Keep it."""
        self.saves += 1
        self.lasting.append(lasting)
        self.text = record.dump()

    def fingerprint(self, text: str) -> str:
        """Name a text without telling it."""
        return _fingerprint(self.key + text)


@lru_cache(4096)
def _fingerprint(text: str) -> str:
    return "hmac:" + hashlib.sha256(text.encode()).hexdigest()[:12]


class WorldSource(Source):
    """Issues passwords that live `life` seconds (None: for ever, and the same until `change`)."""

    def __init__(
        self,
        world: World,
        registry: str = "registry.example.com",
        name: str = "vault",
        life: float | None = 12 * 3600,
        *,
        leased: bool = False,
        declared: bool = True,
    ) -> None:
        super().__init__(name, frozenset({registry}) if declared else None)
        self.world = world
        self.registry = registry
        self.life = life
        self.leased = leased
        self.changes_early = life is None
        self.broken: Exception | None = None
        self.fetches = 0
        self.revoked: list[str] = []
        self.stamp: str | None = None
        self.static: Secret | None = None
        self.previous: tuple[Credential, ...] = ()

    def fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:
        """Give a fresh credential, or raise what the test put into `broken`."""
        self.fetches += 1
        self.previous = tuple(previous)
        if self.broken is not None:
            raise self.broken
        if self.life is None:
            self.static = self.static or self.world.issue(self.registry, None)
            return [Credential(self.registry, "ci", self.static, self.world.now)]
        password = self.world.issue(self.registry, self.life)
        end = self.world.now + timedelta(seconds=self.life)
        lease = Lease(f"lease/{self.world.issued}", end, renewable=True) if self.leased else None
        return [Credential(self.registry, "ci", password, self.world.now, end, lease)]

    def login_stamp(self) -> str | None:
        """Return what the test says the login file looks like."""
        return self.stamp

    def revoke(self, lease: Lease) -> None:
        """Remember what was revoked."""
        self.revoked.append(lease.id)


class WorldTarget(Target):
    """A place that compares versions, as Kubernetes does; `broken` makes its calls fail."""

    def __init__(self, name: str = "target", policy: Policy | None = None) -> None:
        super().__init__(name, policy or Policy())
        self.text: str | None = None
        self.mark: Mark | None = None
        self.version = 0
        self.marks = True
        self.hidden = False
        self.broken: Exception | None = None
        self.unreadable: Exception | None = None
        self.stamp: str | None = None
        self.writes: list[str] = []
        self.meanwhile: Callable[[], None] | None = None

    def read(self) -> Held:
        """Return what is there."""
        if self.unreadable is not None:
            raise self.unreadable
        if self.hidden and self.text is not None:
            return Held(None, self.mark, self.version, withheld=True)
        text = None if self.text is None else Secret(self.text)
        return Held(text, self.mark, self.version)

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Put it there, unless somebody was faster."""
        if self.broken is not None:
            raise self.broken
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        if self.compares and replacing.version != self.version:
            raise ConflictError(f"{self.name} changed meanwhile")
        self.put(text.reveal(), mark if self.marks else None)
        self.writes.append(text.reveal())
        return self.read()

    def login_stamp(self) -> str | None:
        """Return what the test says the login file looks like."""
        return self.stamp

    def put(self, text: str | None, mark: Mark | None = None) -> None:
        """Let anybody put a text there; a person leaves the old mark."""
        self.text = text
        self.mark = mark or self.mark
        self.version += 1


def refused(what: str = "the server said no") -> PermanentError:
    """Return an error that waiting does not repair."""
    return PermanentError(Reason.FORBIDDEN, what, "ask an administrator")
