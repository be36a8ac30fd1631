"""A place where a document is published, with the habits of one kind of target."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rotator.core.errors import ConflictError, DriverError
from rotator.core.model import Content, Held, Mark, Secret
from tests.simulation import document
from tests.simulation.registries import USER
from tests.simulation.timeline import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.registries import LeaseState, Registries, Token

# A read that shows what was there before our write is believed a minute after it.
LATE = 62.0


@dataclass(eq=False)
class Place:
    """One place.

    `compares`: it refuses a write where it changed since the read; `gap`: it looks a little before
    the write takes effect, so that a stranger's write between the two is lost. `stale`: for so many
    seconds after a write a read may answer with what was there before. `local`: jobs read it on the
    same machine. `stores_damaged`: it can hold a damaged text beside the document.

    `epoch` counts every change of what jobs find. `changed_at`: the last one by anybody;
    `edited_at`: the last one by a person. `stamp` changes when somebody puts a new login for it.
    """

    name: str
    world: Registries
    compares: bool = True
    gap: bool = False
    marked: bool = True
    hidden: bool = False
    local: bool = False
    stores_damaged: bool = False
    content: Content = Content.DOCKER_CONFIG
    registry: str | None = None
    stale: float = 0.0
    text: str | None = None
    mark: Mark | None = None
    version: int = 0
    epoch: int = 0
    changed_at: float = -FOREVER
    edited_at: float = -FOREVER
    written_at: dict[str, float] = field(default_factory=dict)
    writes: int = 0
    damaged_copy: str | None = None
    no_read: Callable[[], DriverError] | None = None
    readable_since: float = 0.0
    no_write: Callable[[], DriverError] | None = None
    hangs_until: float = 0.0
    stamp: int = 0
    past: deque[tuple[float, str | None, Mark | None]] = field(
        default_factory=lambda: deque(maxlen=8)
    )

    def __post_init__(self) -> None:
        self.time = self.world.time
        self.document = document.Document()
        self.last_readable = self.document
        self._tokens: dict[str, Token | None] = {}

    @property
    def one_value(self) -> bool:
        """Tell whether its value can't be read back or can't be merged."""
        return self.hidden or self.content is not Content.DOCKER_CONFIG

    @property
    def damaged(self) -> bool:
        """Tell whether no client can read what is there."""
        return not self.document.readable

    def read(self, *, stale: bool) -> Held:
        """Answer a read."""
        text, mark = self.text, self.mark
        if stale and self.past and self.time.now - self.past[-1][0] < self.stale:
            _, text, mark = self.past[-1]
        if text is None:
            return Held(None, None, self.version)
        if self.hidden:
            return Held(None, mark, self.version, withheld=True)
        return Held(Secret(text), mark, self.version)

    def replace(self, who: str, text: str, mark: Mark) -> None:
        """Take a rotator's write."""
        before = self.leases()
        self._put(text, mark if self.marked else None)
        self._note_put_back(before, who)
        self.written_at[who] = self.time.now
        self.writes += 1

    def check(self, version: object) -> None:
        """Raise `ConflictError` where it compares, and is not what was read."""
        if self.compares and version != self.version:
            raise ConflictError(f"{self.name} changed meanwhile")

    def edit(self, text: str | None, *, drops_mark: bool) -> None:
        """Let a person put a text there; most ways of doing so leave the mark."""
        claimed = self.mark.expires if self.mark else {}
        before = {registry: self.token(registry) for registry in claimed}
        leases = self.leases()
        self._put(text, None if drops_mark or text is None else self.mark)
        self._note_put_back(leases, "person")
        self.edited_at = self.time.now
        for registry in claimed if self.mark else ():
            token = self.token(registry)
            if token is not None and token is not before[registry]:
                token.misdated = True

    def _note_put_back(self, before: list[LeaseState], who: str) -> None:
        """Note what somebody put here who did not make its lease, and does not know of its end."""
        for lease in self.leases():
            if lease not in before and lease.holder.partition("#")[0] != who:
                for token in lease.tokens:
                    # The first time counts for as long as a job needs what was put back then.
                    if not token.needed_since >= token.put_back_at:
                        token.put_back_at = self.time.now

    def store_damaged(self) -> None:
        """Hold a copy of the damaged text beside the document."""
        self.damaged_copy = self.text
        self.version += 1

    def readable(self, *, yes: bool) -> None:
        """Note that reads fail from now on, or work again."""
        if yes:
            self.readable_since = self.time.now
        if self.local:
            self._changed()

    def looks_late(self, who: str) -> bool:
        """Tell whether a person put back what was there before a rotator's write a minute ago.

        Where reads may be late, nobody can tell that from a late answer.
        """
        written = self.written_at.get(who, -FOREVER)
        back = self.edited_at > written and any(text == self.text for _, text, _ in self.past)
        return not self.compares and back and self.time.now - written < LATE

    def token(self, registry: str) -> Token | None:
        """Return what a job finds here for a registry; None where it finds nothing to try."""
        if self.local and self.no_read is not None:
            return None
        if registry not in self._tokens:
            self._tokens[registry] = self._found(registry)
        return self._tokens[registry]

    def leases(self) -> list[LeaseState]:
        """Return the leases of the passwords that are here, whoever can read them."""
        registries = [self.registry] if self.registry else list(self.document.auths)
        tokens = [self._found(name) for name in registries]
        return [token.lease for token in tokens if token is not None and token.lease is not None]

    def _found(self, registry: str) -> Token | None:
        if self.content is Content.DOCKER_CONFIG:
            return self.world.token(registry, self.document.login(registry))
        if registry != self.registry or not self.text:
            return None
        if self.content is Content.USERNAME:
            return self.world.username if self.text == USER else None
        return self.world.token(registry, (USER, self.text))

    def _put(self, text: str | None, mark: Mark | None) -> None:
        for lease in self.leases():
            lease.used_at = self.time.now
        self.past.append((self.time.now, self.text, self.mark))
        self.text, self.mark = text, mark
        self.version += 1
        whole = self.content is Content.DOCKER_CONFIG
        self.document = document.read(text) if whole else document.Document()
        if self.document.readable:
            self.last_readable = self.document
        self._changed()
        for lease in self.leases():
            lease.published, lease.used_at = True, self.time.now

    def _changed(self) -> None:
        self._tokens.clear()
        self.epoch += 1
        self.changed_at = self.time.now
