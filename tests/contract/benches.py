"""What the contract suites need of each driver: a bench that can build it and make it suffer.

A driver of type T has its bench in `tests/contract/T_bench.py`: a pytest fixture function
`bench(request, tmp_path)` that yields a `SourceBench` or a `TargetBench`. The suites find the
benches through the drivers' tables, so a driver without a bench fails the suite.

The suite over the sources builds a bench anew for each trouble, several in one test: what a trouble
breaks belongs to the bench itself, not to a fixture that the bench asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rotator.core.errors import Reason
    from rotator.core.model import Policy, Secret
    from rotator.core.ports import Source, Target

Trouble = tuple["Callable[[], None]", "Reason", bool]
"""How to bring it about, the reason it must be reported with, and whether it is temporary."""


class TargetBench(Protocol):
    """One place to publish in, seen from both sides."""

    secrets: tuple[Secret, ...]
    """The login secrets the driver uses: they may appear in no error."""

    def target(self, policy: Policy) -> Target:
        """Build the driver anew, as a new process would."""
        ...

    def raw(self) -> str | None:
        """Return the published text without our driver; None where there is nothing."""
        ...

    def put(self, text: str) -> None:
        """Let somebody else write this text, without a mark."""
        ...

    def writes(self) -> int:
        """Return how many writes the place has seen from anybody."""
        ...

    def troubles(self) -> Mapping[str, Trouble]:
        """Return what can go wrong here, by name: at least denied, missing, unreachable, slow.

        Places where one of them can't happen leave it out and say so in a comment.
        """
        ...


class SourceBench(Protocol):
    """One place where credentials come from, seen from both sides."""

    secrets: tuple[Secret, ...]
    """The login secrets and the issued ones: they may appear in no error."""

    def source(self) -> Source:
        """Build the driver anew, as a new process would."""
        ...

    def registries(self) -> frozenset[str]:
        """Return the registries that a fetch answers for."""
        ...

    def calls(self) -> int:
        """Return how many requests (or runs, or reads) the place has seen."""
        ...

    def troubles(self) -> Mapping[str, Trouble]:
        """Return what can go wrong here, by name; as for a target."""
        ...
