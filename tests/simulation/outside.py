"""What rotators deal with: passwords that really end, servers that issue them, places for them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rotator.core import docker_config
from rotator.core.docker_config import DockerConfig
from rotator.core.errors import ConflictError, DriverError
from rotator.core.model import Content, Held, Mark, Secret
from tests.simulation.timeline import FOREVER, Timeline
from tests.support import MARKED

if TYPE_CHECKING:
    from collections.abc import Callable

USER = "ci"
Login = tuple[str, str]


@dataclass(slots=True)
class Token:
    """A password that its registry accepts until it dies.

    `ahead`: by how many seconds the clock was ahead of true time that its end was told on.
    `needed_*`: a job that started then was promised that this password works until then.
    `put_back_at`: when a rotator that did not fetch it last wrote it where it was not.
    """

    registry: str
    password: str
    end: float
    ahead: float
    dead_at: float = FOREVER
    killed: bool = False
    needed_until: float = 0.0
    needed_since: float = 0.0
    lease: LeaseState | None = None
    put_back_at: float = FOREVER

    @property
    def dies(self) -> float:
        """When the registry stops accepting it, as far as is decided."""
        return min(self.end, self.dead_at)


@dataclass(slots=True)
class LeaseState:
    """A lease as its server sees it.

    `published`: some place has held one of its passwords; `seen_at`: when one did so last. `lost`:
    why nobody knows of it, where that is excused. `refused`: its server said for good that it may
    not be revoked.
    """

    id: str
    holder: str
    tokens: list[Token]
    end: float
    last_end: float
    made_at: float
    revoked_at: float = FOREVER
    published: bool = False
    seen_at: float = 0.0
    lost: str = ""
    refused: bool = False


class Registries:
    """Every registry of the world: what each accepts, and whether it can be asked."""

    def __init__(self, time: Timeline) -> None:
        self.time = time
        self.tokens: dict[Login, Token] = {}
        self.unreachable: set[str] = set()

    def issue(self, registry: str, end: float, ahead: float) -> Token:
        """Make a password that the registry accepts until `end`."""
        token = Token(registry, f"{MARKED}{len(self.tokens) + 1}", end, ahead)
        self.tokens[registry, token.password] = token
        return token

    def token(self, registry: str, login: tuple[str, Secret] | None) -> Token | None:
        """Return the token that an entry holds, whether it still works or not."""
        if login is None or login[0] != USER:
            return None
        return self.tokens.get((registry, login[1].reveal()))

    def accepts(self, token: Token | None) -> bool:
        """Tell whether a job can pull with this now."""
        return token is not None and self.time.now < token.dies


@dataclass
class Place:
    """Where a document is published, with the habits of one kind of target.

    `stale`: for so many seconds after a write a read may answer with what was there before.
    `edited_at`: when a person changed it last; `damaged`: it can't be decoded since. `stamp`:
    changes when somebody puts a new login for it.
    """

    name: str
    world: Registries
    compares: bool = True
    marked: bool = True
    hidden: bool = False
    content: Content = Content.DOCKER_CONFIG
    registry: str | None = None
    stale: float = 0.0
    text: str | None = None
    mark: Mark | None = None
    version: int = 0
    edited_at: float = -FOREVER
    damaged: bool = False
    written_at: dict[str, float] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    writes: int = 0
    no_read: Callable[[], DriverError] | None = None
    no_write: Callable[[], DriverError] | None = None
    hangs_until: float = 0.0
    stamp: int = 0
    past: deque[tuple[float, str | None, Mark | None]] = field(
        default_factory=lambda: deque(maxlen=8)
    )

    def __post_init__(self) -> None:
        self.time = self.world.time
        self.config: DockerConfig | None = DockerConfig()
        self.logins: dict[str, tuple[str, Secret]] = {}

    def look(self, *, stale: bool) -> Held:
        """Answer a read."""
        text, mark = self.text, self.mark
        if stale and self.past and self.time.now - self.past[-1][0] < self.stale:
            _, text, mark = self.past[-1]
        if text is None:
            return Held(None, None, self.version)
        if self.hidden:
            return Held(None, mark, self.version, withheld=True)
        return Held(Secret(text), mark, self.version)

    def replace(self, who: str, text: str, mark: Mark, version: object) -> None:
        """Answer a write by a rotator; raises `ConflictError` where the place compares."""
        if self.compares and version != self.version:
            raise ConflictError(f"{self.name} changed meanwhile")
        before = self.leases()
        self._put(text, mark if self.marked else None)
        for lease in self.leases():
            if lease not in before and lease.holder.partition("#")[0] != who:
                for token in lease.tokens:
                    token.put_back_at = self.time.now
        self.written_at[who] = self.time.now
        self.writes += 1

    def edit(self, text: str | None, *, drops_mark: bool) -> None:
        """Let a person put a text there; most ways of doing so leave the mark."""
        self._put(text, None if drops_mark or text is None else self.mark)
        self.edited_at = self.time.now

    def login(self, registry: str) -> tuple[str, Secret] | None:
        """Return what a job finds here for a registry."""
        if self.content is Content.DOCKER_CONFIG:
            return self.logins.get(registry)
        return (USER, Secret(self.text)) if registry == self.registry and self.text else None

    def _put(self, text: str | None, mark: Mark | None) -> None:
        for lease in self.leases():
            lease.seen_at = self.time.now
        self.past.append((self.time.now, self.text, self.mark))
        self.text, self.mark = text, mark
        self.version += 1
        self.config, self.logins = DockerConfig(), {}
        if text is not None and self.content is Content.DOCKER_CONFIG:
            try:
                self.config = docker_config.decode(text)
            except DriverError:
                self.config = None
        self.logins = self.config.logins() if self.config else {}
        self.damaged = self.config is None
        for lease in self.leases():
            lease.published, lease.seen_at = True, self.time.now

    def leases(self) -> list[LeaseState]:
        """Return the leases of the passwords that are here."""
        registries = [self.registry] if self.registry else list(self.logins)
        tokens = [self.world.token(name, self.login(name)) for name in registries]
        return [token.lease for token in tokens if token is not None and token.lease is not None]
