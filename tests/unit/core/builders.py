"""What the tests of the core share: a rotator in the world, and documents that others write."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from rotator.core import cycle, docker_config, docker_merge
from rotator.core.docker_config import DockerConfig
from rotator.core.errors import Reason, TemporaryError
from rotator.core.model import Credential, Lease, Mark, Schedule, Secret
from rotator.core.recall import Memory
from rotator.core.rotation import Rotation
from tests.simulation.world import MemoryJournal, World, WorldSource, WorldTarget, each
from tests.unit.core.drivers import HOST, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rotator.core.ports import Answer, Item
    from rotator.core.record import FailureRecord, Record
    from rotator.core.report import CredentialReport, Report, TargetReport

OTHER = "other.example.com"
HOUR = 3600.0
POLL = timedelta(minutes=5)


@dataclass
class Site:
    """One rotator in the world: its rotation, its journal, and its memory while it lives."""

    world: World
    rotation: Rotation
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    memory: Memory = field(default_factory=Memory)
    hanging: object = None

    def cycle(self, **options: Any) -> Report:
        """Run one cycle and keep what is in hand for the next one."""
        ports = replace(self.world.ports(self.journal), each=self._each)
        report, self.memory = cycle.run(self.rotation, self.memory, ports, cycle.Options(**options))
        return report

    def after(self, seconds: float, **options: Any) -> Report:
        """Let time go by, then run a cycle."""
        self.world.pass_time(seconds)
        return self.cycle(**options)

    def restart(self) -> None:
        """Start as a new process: only the journal is left."""
        self.memory = Memory()

    def lose_journal(self) -> None:
        """Start as a new process on a new disk: the key of the fingerprints is new, too."""
        self.restart()
        self.journal = MemoryJournal(key=f"{self.journal.key}+")

    def configure(self, **settings: Any) -> None:
        """Read a changed configuration of the rotation."""
        self.rotation = replace(self.rotation, **settings)

    @property
    def record(self) -> Record:
        """Return what the journal says."""
        return self.journal.load()

    @property
    def source(self) -> WorldSource:
        """Return the only source."""
        (source,) = self.rotation.sources
        assert isinstance(source, WorldSource)
        return source

    @property
    def place(self) -> Place:
        """Return the only target."""
        (place,) = self.rotation.targets
        assert isinstance(place, Place)
        return place

    def wait_until(self, instant: datetime | None) -> None:
        """Let time go by until then."""
        assert instant is not None
        self.world.now = max(self.world.now, instant)

    def _each(
        self, call: Callable[[Item], Answer], items: Sequence[Item], seconds: float
    ) -> list[Answer | Exception]:
        stuck = [self._hangs(item) for item in items]
        answers = each(
            call, [i for i, hangs in zip(items, stuck, strict=True) if not hangs], seconds
        )
        return [
            TemporaryError(Reason.TIMEOUT, f"no answer within {seconds:.0f} s", "look there")
            if hangs
            else answers.pop(0)
            for hangs in stuck
        ]

    def _hangs(self, item: object) -> bool:
        if isinstance(item, Credential):
            return self.hanging == item.registry
        return self.hanging is item


def site(
    world: World | None = None,
    *,
    sources: Sequence[WorldSource] | None = None,
    targets: Sequence[WorldTarget] | None = None,
    schedule: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Site:
    """Build a rotator: by default one source of 12 h tokens, one target, jobs of 1 h."""
    world = world or World()
    rotation = Rotation(
        name=settings.pop("name", "dind"),
        sources=tuple(sources if sources is not None else [WorldSource(world)]),
        targets=tuple(targets if targets is not None else [Place()]),
        schedule=Schedule(**(schedule or {})),
        **settings,
    )
    return Site(world, rotation)


def login(
    password: str | Secret,
    registry: str = HOST,
    *,
    world: World | None = None,
    expires_in: float | None = None,
    lease: Lease | None = None,
) -> Credential:
    """Return a credential of this life, issued now."""
    now = (world or World()).now
    end = None if expires_in is None else now + timedelta(seconds=expires_in)
    secret = password if isinstance(password, Secret) else Secret(password)
    return Credential(registry, "ci", secret, now, end, lease)


def document(passwords: Mapping[str, str | Secret], **rest: Any) -> str:
    """Return a docker config with these passwords, as somebody else might have written it."""
    logins = [login(password, registry) for registry, password in passwords.items()]
    return docker_config.encode(docker_merge.merge(DockerConfig({}, rest), logins).config)


def foreign(expires: Mapping[str, datetime | None]) -> Mark:
    """Return the mark of another rotator, whose key we do not have."""
    return Mark(expires, "hmac:f0e1d2c3b4a5", "elsewhere")


def credential(report: Report, registry: str | None = HOST) -> CredentialReport:
    """Return what a report says of one registry."""
    (reported,) = (c for c in report.credentials if c.registry == registry)
    return reported


def target(report: Report, name: str = "target") -> TargetReport:
    """Return what a report says of one target."""
    (reported,) = (t for t in report.targets if t.name == name)
    return reported


def seconds_until(instant: datetime | None, world: World) -> float:
    """Return how far ahead a moment is."""
    assert instant is not None
    return (instant - world.now).total_seconds()


def down(what: str = "connection refused", retry_after: float | None = None) -> TemporaryError:
    """Return an error that waiting mends."""
    return TemporaryError(Reason.UNREACHABLE, what, "see whether it runs", retry_after=retry_after)


def trouble(here: Site, source: str = "vault") -> FailureRecord:
    """Return the trouble that the journal has with a source."""
    found = here.record.source(source).failure
    assert found is not None
    return found


def failing(error: Exception, *, stamp: str | None = None, published: bool = True) -> Site:
    """Return a rotator whose source fails when it is due, with or without hours in hand."""
    here = site()
    here.source.stamp = stamp
    if published:
        here.cycle()
        here.world.pass_time(7 * HOUR)
    here.source.broken = error
    here.cycle()
    return here


def published() -> Site:
    """Return a rotator that has published, and can write no more."""
    here = site()
    here.cycle()
    here.place.broken = down()
    return here
