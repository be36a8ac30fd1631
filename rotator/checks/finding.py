"""What a check finds, and where it writes it down."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from rotator.core.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rotator.core.model import Credential, Held


class Level(StrEnum):
    """How bad a finding is: a failure keeps the rotation from working."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `rotator check`: about what, what was found, what to do (empty: nothing)."""

    level: Level
    about: str
    found: str
    todo: str = ""


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

    def ok(self, found: str, todo: str = "") -> None:
        """Write down what is as it should be."""
        self.all.append(Finding(Level.OK, self.about, found, todo))

    def warning(self, found: str, todo: str) -> None:
        """Write down what works, but may not for long or not for all."""
        self.all.append(Finding(Level.WARNING, self.about, found, todo))

    def failure(self, found: str, todo: str) -> None:
        """Write down what keeps the rotation from working."""
        self.all.append(Finding(Level.FAILURE, self.about, found, todo))

    def error(self, error: Exception) -> None:
        """Write down what a driver's error says; an error nobody meant to raise is a bug."""
        failure = Failure.of(error)
        self.bug = failure.bug
        self.failure(failure.detail, failure.hint)


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level among the findings; ok where there is none."""
    levels = {finding.level for finding in findings}
    return next((level for level in reversed(Level) if level in levels), Level.OK)
