"""What is right in a document, rotation by rotation, while other parts of it may be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from rotator.config.parts import SOURCES, TARGETS, items
from rotator.config.places import Registry
from rotator.config.sources import SourceSettings
from rotator.config.target_common import TargetSettings
from rotator.config.types import Duration, Flag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from rotator.config.document import Path
    from rotator.config.types import Settings

Kind = TypeVar("Kind", bound=SourceSettings | TargetSettings)
Value = TypeVar("Value")

_DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
_FLAG: TypeAdapter[bool] = TypeAdapter(Flag)
_REGISTRIES: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[Registry, ...])


@dataclass(frozen=True)
class Found(Generic[Kind]):
    """A source or target of the file: its name as written, its settings where they are right."""

    path: Path
    name: str | None
    settings: Kind | None


@dataclass(frozen=True)
class Draft:
    """A rotation as far as it is right."""

    path: Path
    name: str
    enabled: bool
    longest_job: timedelta | None
    remove: tuple[str, ...]
    sources: Sequence[Found[SourceSettings]]
    targets: Sequence[Found[TargetSettings]]

    def known_registries(self) -> frozenset[str] | None:
        """Return what its sources give; None where one of them is wrong or can't tell."""
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


def drafts(data: Any, context: Mapping[str, Any]) -> list[Draft]:
    """Return the rotations of a document."""
    if not isinstance(data, dict):
        return []
    return [
        Draft(
            path=path,
            name=name if isinstance(name := rotation.get("name"), str) else "",
            enabled=_value(_FLAG, rotation, "enabled") is not False,
            longest_job=_value(_DURATION, rotation, "longest_job"),
            remove=_value(_REGISTRIES, rotation, "remove") or (),
            sources=_found(rotation.get("sources"), (*path, "sources"), SOURCES, context),
            targets=_found(rotation.get("targets"), (*path, "targets"), TARGETS, context),
        )
        for path, rotation in items(data, "rotations", ())
    ]


def valid(settings: type[Settings], data: Any, context: Mapping[str, Any]) -> Any:
    """Return a part's settings, None where they are wrong."""
    try:
        return settings.model_validate(data, context=dict(context))
    except ValidationError:
        return None


def _value(adapter: TypeAdapter[Value], data: Mapping[str, Any], key: str) -> Value | None:
    try:
        return adapter.validate_python(data.get(key))
    except ValidationError:
        return None


def _found(
    data: Any, path: Path, known: Mapping[str, type[Settings]], context: Mapping[str, Any]
) -> list[Found[Any]]:
    if not isinstance(data, list):
        return [Found(path, None, None)]
    return [_one(item, (*path, number), known, context) for number, item in enumerate(data)]


def _one(
    item: Any, path: Path, known: Mapping[str, type[Settings]], context: Mapping[str, Any]
) -> Found[Any]:
    if not isinstance(item, dict) or item.get("type") not in list(known):
        return Found(path, None, None)
    settings = valid(known[item["type"]], item, context)
    name = getattr(settings, "target_name", None) or item.get("name")
    return Found(path, name if isinstance(name, str) else None, settings)
