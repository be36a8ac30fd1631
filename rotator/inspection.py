"""What the inspection of a driver may know, and what it yields: for `rotator check`.

An inspection is a module with `inspect(settings, case) -> Iterator[Found]`; the driver's table
names it. It asks, yields what it finds, raises the driver's own errors, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from rotator.core.docker_entry import login_text
from rotator.core.failure import Failure
from rotator.core.model import Credential, Held

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rotator.config.schema import RotationSettings
    from rotator.config.target_common import TargetSettings
    from rotator.core.ports import Clock, Fingerprint, Prove
    from rotator.core.record import KnownCredential, Record


class Level(StrEnum):
    """How bad a finding is: a failure keeps the rotation from working."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `rotator check`: about what, what was found, what to do (empty: nothing).

    An inspection leaves `about` empty where it means its own source or target.
    """

    level: Level
    about: str
    found: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """What a source gave. It is shown to the registries before the inspection goes on."""

    credentials: Sequence[Credential] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What to do once every check has ended, because others share it; a warning where it fails."""

    do: Callable[[], Finding | None]


Found = Finding | Given | Held | Afterwards
"""What an inspection yields: a finding, what a source gave, what a target holds, what is left."""


def ok(found: str, todo: str = "") -> Finding:
    """Return what is as it should be."""
    return Finding(Level.OK, "", found, todo)


def warning(found: str, todo: str) -> Finding:
    """Return what works, but may not for long or not for all."""
    return Finding(Level.WARNING, "", found, todo)


def failure(found: str, todo: str) -> Finding:
    """Return what keeps the rotation from working."""
    return Finding(Level.FAILURE, "", found, todo)


def failed(error: Exception) -> Finding:
    """Return what a driver's error says."""
    one = Failure.of(error)
    return failure(one.detail, one.hint)


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level among the findings; ok where there is none."""
    levels = {finding.level for finding in findings}
    return next((level for level in reversed(Level) if level in levels), Level.OK)


@dataclass(slots=True)
class Findings:
    """What a check found about one source or target, in its order.

    `credentials` are those that the source gave, `held` is what the target holds, for the checks
    that need several of them. `bug` is an exception that nobody meant to raise.
    """

    about: str
    all: list[Finding] = field(default_factory=list)
    credentials: tuple[Credential, ...] = ()
    held: Held | None = None
    bug: Exception | None = None

    def add(self, finding: Finding) -> None:
        """Add a finding; it is about this source or target where it does not say otherwise."""
        self.all.append(replace(finding, about=finding.about or self.about))

    def ok(self, found: str, todo: str = "") -> None:
        """Add what is as it should be."""
        self.add(ok(found, todo))

    def warning(self, found: str, todo: str) -> None:
        """Add what works, but may not for long or not for all."""
        self.add(warning(found, todo))

    def failure(self, found: str, todo: str) -> None:
        """Add what keeps the rotation from working."""
        self.add(failure(found, todo))

    def error(self, error: Exception) -> None:
        """Add what a driver's error says; an error nobody meant to raise is a bug."""
        self.bug = Failure.of(error).bug
        self.add(failed(error))


Published = Callable[["TargetSettings", Held, "Case"], "list[Finding]"]
"""Returns what there is to say of what a target holds, by its registries too."""

SECONDS = 16.0
"""How long a check may go without an answer, a bit longer than the drivers wait for one."""

LONGEST = 60.0
"""How long a check may take whose server answers slowly; from when its turn begins."""


@dataclass(frozen=True, slots=True)
class Case:
    """One rotation: its settings, what the journal knows of it, and with what it asks.

    `fingerprint` is None where nothing was published from here yet. `consume`: the check may
    use something up (a secret id, a credential made on request). `configured`: every rotation of
    the configuration, also those that are not checked.
    """

    rotation: RotationSettings
    record: Record
    clock: Clock
    prove: Prove = field(repr=False)
    fingerprint: Fingerprint | None = field(default=None, repr=False)
    consume: bool = False
    published: Published = field(default=lambda *_: [], repr=False)
    configured: list[RotationSettings] = field(default_factory=list, repr=False)

    def registries(self) -> dict[str, str]:
        """Return the registries of this rotation and the source of each, as far as is known."""
        return {
            registry: source.name
            for source in self.rotation.sources
            for registry in source.known_registries() or self.record.source(source.name).registries
        }

    def wanted(self, target: TargetSettings) -> list[str]:
        """Return the registries of this rotation that belong in a target."""
        return sorted(filter(target.policy().wants, self.registries()))

    def known(self, login: Credential) -> KnownCredential | None:
        """Return what the journal knows of a login that is published somewhere."""
        if self.fingerprint is None:
            return None
        name = self.fingerprint(login_text(login.username, login.password))
        return self.record.known(login.registry, name)

    def works_lately(self, source: str) -> bool:
        """Tell whether the journal's last entry about a source is that it gave something."""
        past = self.record.source(source)
        return past.fetched_at is not None and past.failure is None
