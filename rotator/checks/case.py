"""What a check may know of its rotation, and with what it may ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rotator.core.docker_config import login_text

if TYPE_CHECKING:
    from rotator.config.schema import RotationSettings
    from rotator.config.target_common import TargetSettings
    from rotator.core.model import Credential
    from rotator.core.ports import Clock, Fingerprint, Prove
    from rotator.core.record import KnownCredential, Record

SECONDS = 3.5
"""How long all checks together may take; a check without an answer by then is a finding."""

TIMEOUTS = (1.5, 2.5)
"""Seconds for connecting, and for each wait for an answer: shorter than the drivers' own."""


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
