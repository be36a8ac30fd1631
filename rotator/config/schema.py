"""The root of the configuration, and its rotations."""

from datetime import timedelta
from itertools import chain, count
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from msgspec.structs import force_setattr, replace

from rotator.config.explain import one_of
from rotator.config.places import Directory, FilePath, InputFile, Listen, Registry
from rotator.config.settings import Settings
from rotator.config.sources import Source
from rotator.config.target_common import TargetSettings
from rotator.config.targets import Target
from rotator.config.typed import DEFAULT_FILE
from rotator.config.types import FILLED, NUMBER, Duration, Flag, Percent, Value, matching
from rotator.core.model import ProofMode, Schedule

RotationName = Annotated[
    str, matching(r"[a-z0-9-]{1,63}", "a name of small letters, digits and -", also=NUMBER)
]


def _version(value: object) -> int:
    if value not in (1, "1"):
        raise ValueError(one_of(("1",), value))
    return 1


Version = Annotated[int, Value(_version, {"enum": [1, "1"]})]


class LogSettings(Settings, kw_only=True):
    """How the log is written; it goes to standard error."""

    format: Literal["auto", "console", "json"] = "auto"
    """auto: readable lines on a terminal and, with fields, in systemd's journal; json elsewhere."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is logged."""


class HttpSettings(Settings, kw_only=True):
    """What the daemon serves: metrics, health and the status page."""

    listen: Listen
    """Address and port, such as 127.0.0.1:9465."""
    status_page: Flag | None = None
    """The status page and /api/status; default: only on a loopback address."""

    @property
    def host(self) -> str:
        """The address without port and brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port."""
        return int(self.listen.rpartition(":")[2])


class RegistryAccessSettings(Settings, kw_only=True):
    """How registries are reached for the proof."""

    ca_file: InputFile | None = None
    """Certificates to trust beside the system's."""
    insecure: tuple[Registry, ...] = ()
    """Registries where plain HTTP or TLS that can't be verified is allowed."""


class RetrySettings(Settings, kw_only=True):
    """The waits between tries after a failure."""

    initial: Duration = timedelta(seconds=5)
    """The first wait."""
    max: Duration = timedelta(minutes=10)
    """The longest wait; shorter where little life is left."""


class ScheduleSettings(Settings, kw_only=True):
    """When credentials are renewed and targets read."""

    renew_after: Percent = 0.5
    """The share of a credential's life after which it is renewed."""
    jitter: Percent = 0.05
    """The share of its life by which the renewal varies, at random."""
    poll: Duration = timedelta(minutes=5)
    """How often targets are checked for drift, and sources that can change early read again."""
    retry: RetrySettings = RetrySettings()


class RotationSettings(Settings, kw_only=True):
    """Sources whose credentials are published to targets, on one schedule."""

    CALLED: ClassVar[str] = "a rotation"

    name: RotationName
    """Its name: small letters, digits and -; unique."""
    enabled: Flag = True
    """false: paused, nothing is fetched or written."""
    longest_job: Duration = timedelta(hours=1)
    """A job that starts now can pull for this long."""
    prove: ProofMode = ProofMode.LENIENT
    """lenient: don't publish what its registry rejects; strict: publish only what it accepts;
    off: don't ask."""
    schedule: ScheduleSettings = ScheduleSettings()
    settle: Duration = timedelta(minutes=2)
    """How long a fresh credential may need until its registry knows it."""
    sources: Annotated[tuple[Source, ...], FILLED]
    """Where the credentials come from."""
    targets: Annotated[tuple[Target, ...], FILLED]
    """Where they are published."""
    remove: tuple[Registry, ...] = ()
    """Entries to take out of every target, also those of others."""

    def __post_init__(self) -> None:
        """Name the sources that have no name: vault, vault-2, vault-3."""
        taken = {source.name for source in self.sources}
        named = []
        for source in self.sources:
            kind = source.type
            numbered = chain([kind], (f"{kind}-{number}" for number in count(2)))
            name = source.name or next(one for one in numbered if one not in taken)
            taken.add(name)
            named.append(replace(source, name=name))
        force_setattr(self, "sources", tuple(named))

    def published(self, target: TargetSettings) -> list[str]:
        """Return the registries that belong in a target, as far as the configuration names them."""
        known = {r for source in self.sources for r in source.known_registries() or ()}
        return sorted(filter(target.policy().wants, known))

    def timing(self) -> Schedule:
        """Return what the core needs to know."""
        return Schedule(
            renew_after=self.schedule.renew_after,
            jitter=self.schedule.jitter,
            poll=self.schedule.poll,
            retry_initial=self.schedule.retry.initial,
            retry_max=self.schedule.retry.max,
            longest_job=self.longest_job,
        )


class Configuration(Settings, kw_only=True):
    """The whole configuration."""

    CALLED: ClassVar[str] = "the configuration"

    version: Version
    """The version of this format."""
    state_dir: Directory = Path("/var/lib/rotator")
    """Where the journal is; default: $STATE_DIRECTORY, else /var/lib/rotator for root and
    $XDG_STATE_HOME/rotator for others."""
    log: LogSettings = LogSettings()
    http: HttpSettings | None = None
    """Left out: rotator listens nowhere."""
    metrics_file: FilePath | None = None
    """Metrics for node_exporter's textfile collector, written after each cycle."""
    registry_access: RegistryAccessSettings = RegistryAccessSettings()
    rotations: Annotated[tuple[RotationSettings, ...], FILLED]
    """The rotations."""
    _file: Path = DEFAULT_FILE

    @property
    def file(self) -> Path:
        """The file that it was read from."""
        return self._file
