"""The findings about one source or target, in their order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rotator import inspection
from rotator.core.failure import Failure

if TYPE_CHECKING:
    from rotator.core.model import Credential, Held
    from rotator.inspection import Finding


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
        self.add(inspection.ok(found, todo))

    def warning(self, found: str, todo: str) -> None:
        """Add what works, but may not for long or not for all."""
        self.add(inspection.warning(found, todo))

    def failure(self, found: str, todo: str) -> None:
        """Add what keeps the rotation from working."""
        self.add(inspection.failure(found, todo))

    def error(self, error: Exception) -> None:
        """Add what a driver's error says; an error nobody meant to raise is a bug."""
        self.bug = Failure.of(error).bug
        self.add(inspection.failed(error))
