"""What is right in a document, rotation by rotation, while other parts of it may be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct

from rotator.config.schema import RotationSettings
from rotator.config.sources import SourceSettings
from rotator.config.target_common import NamedTargetSettings, TargetSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from rotator.config.explain import Part, Path
    from rotator.config.reading import Reading

Kind = TypeVar("Kind", bound=SourceSettings | TargetSettings)


class Found(Struct, Generic[Kind], frozen=True):
    """A source or target of the file: its name as written, its settings where they are right."""

    path: Path
    name: str | None
    settings: Kind | None


class Draft(Struct, frozen=True):
    """A rotation as far as it is right."""

    path: Path
    name: str
    enabled: bool
    longest_job: timedelta | None
    remove: tuple[str, ...]
    sources: Sequence[Found[SourceSettings]]
    targets: Sequence[Found[TargetSettings]]

    def known_registries(self) -> frozenset[str] | None:
        """Return what its sources give; None where one of them is wrong or does not know."""
        known: set[str] = set()
        for source in self.sources:
            registries = None if source.settings is None else source.settings.known_registries()
            if registries is None:
                return None
            known |= registries
        return frozenset(known)

    def published(self, target: TargetSettings) -> frozenset[str]:
        """Return the registries that are certainly in the docker config of a target."""
        if target.registries is not None:
            return frozenset(target.registries)
        return self.known_registries() or frozenset()


def drafts(reading: Reading) -> list[Draft]:
    """Return the rotations of a document that has been read."""
    return [
        _draft(part, reading)
        for part in reading.parts.values()
        if part.settings is RotationSettings
    ]


def _draft(part: Part, reading: Reading) -> Draft:
    path, data = part.path, part.data
    right = reading.right
    return Draft(
        path=path,
        name=name if isinstance(name := data.get("name"), str) else "",
        enabled=right.get((*path, "enabled")) is not False,
        longest_job=right.get((*path, "longest_job")),
        remove=right.get((*path, "remove"), ()),
        sources=_found(data.get("sources"), (*path, "sources"), reading),
        targets=_found(data.get("targets"), (*path, "targets"), reading),
    )


def _found(data: Any, path: Path, reading: Reading) -> list[Found[Any]]:
    if not isinstance(data, list):
        return [Found(path, None, None)]
    return [_one((*path, number), reading) for number in range(len(data))]


def _one(path: Path, reading: Reading) -> Found[Any]:
    part, settings = reading.parts.get(path), reading.right.get(path)
    if part is None:
        return Found(path, None, None)
    # The key `name` of a Kubernetes target is its object's name, not its own.
    is_own = issubclass(part.settings, SourceSettings | NamedTargetSettings)
    name = getattr(settings, "target_name", part.data.get("name") if is_own else None)
    return Found(path, name if isinstance(name, str) else None, settings)
