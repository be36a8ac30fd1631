"""Sources and targets that do what a test of the core says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from rotator.core import docker_config
from rotator.core.model import Credential, Held, Lease, Mark, Policy, Secret
from tests.simulation.world import Crash, World, WorldSource, WorldTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rotator.core.docker_config import DockerConfig


HOST = "registry.example.com"


class Place(WorldTarget):
    """A target that counts its reads; `dies_after_write` crashes us when a write took effect."""

    def __init__(self, name: str = "target", **policy: Any) -> None:
        super().__init__(name, Policy(**policy))
        self.reads = 0
        self.after_read: Callable[[], None] | None = None
        self.dies_after_write = False
        self.notes: tuple[str, ...] = ()
        self.changed_by_policy = False
        self.refuses_probe: Exception | None = None
        self.probed = 0
        self.aside: list[str] = []
        self.completed = 0

    def read(self) -> Held:
        """Return what is there, then let happen what the test wants to happen."""
        self.reads += 1
        held = replace(super().read(), notes=self.notes)
        if self.after_read is not None:
            happens, self.after_read = self.after_read, None
            happens()
        return held

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Put it there, and perhaps crash."""
        reads = self.reads
        if self.changed_by_policy:
            text = Secret('{"auths":{}}')
        held = super().write(text, mark, replacing)
        self.reads = reads
        if self.dies_after_write:
            self.dies_after_write = False
            raise Crash
        return replace(held, notes=tuple(f"after the write: {note}" for note in self.notes))

    def probe_write(self, text: Secret, mark: Mark, replacing: Held) -> None:
        """Say whether a write would be taken."""
        del text, mark, replacing
        self.probed += 1
        if self.refuses_probe is not None:
            raise self.refuses_probe

    def complete(self, held: Held) -> None:
        """Count."""
        del held
        self.completed += 1

    def set_aside(self, replacing: Held) -> Held:
        """Remember the damaged text."""
        assert replacing.version == self.version
        self.aside.append(self.text or "")
        return super().read()

    @property
    def document(self) -> DockerConfig:
        """Return what any client would read here."""
        assert self.text is not None
        return docker_config.decode(self.text)

    def password(self, registry: str = HOST) -> str | None:
        """Return the password that a job would use for a registry."""
        login = self.document.logins().get(registry) if self.text else None
        return login[1].reveal() if login else None

    def marked(self, registry: str = HOST) -> datetime | None:
        """Return the end that the mark here tells of a registry."""
        assert self.mark is not None
        return self.mark.expires[registry]


class Fixed(WorldSource):
    """A source that answers what the test says, whatever was fetched before."""

    def __init__(self, world: World, *answers: Credential, **settings: Any) -> None:
        super().__init__(world, **settings)
        self.answers = answers

    def fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:
        """Return the credentials that the test put into `answers`."""
        super().fetch(previous)
        return self.answers


class Renewing(WorldSource):
    """A source that lengthens the lease in hand instead of giving a new one."""

    def fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:
        """Return the same password with a later end, or a first one."""
        if not any(login.lease for login in previous) or self.broken is not None:
            return super().fetch(previous)
        self.fetches += 1
        self.previous = tuple(previous)
        assert self.life is not None
        end = self.world.now + timedelta(seconds=self.life)
        renewed = []
        for login in previous:
            assert login.lease is not None
            self.world.valid[login.registry, login.password.reveal()] = end
            lease = Lease(login.lease.id, end, renewable=True)
            renewed.append(replace(login, issued_at=self.world.now, expires_at=end, lease=lease))
        return renewed
