"""Walks a configuration's mappings, whether right or wrong, and tells which settings each is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from rotator.config.schema import (
    Configuration,
    HttpSettings,
    LogSettings,
    RegistryAccessSettings,
    RetrySettings,
    RotationSettings,
    ScheduleSettings,
)
from rotator.config.sources import Source
from rotator.config.targets import Target
from rotator.config.vault_auth import AuthSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.config.document import Path
    from rotator.config.types import Settings


class Part(NamedTuple):
    """A mapping of the document: where it is, the settings it should be, and what to call it."""

    path: Path
    settings: type[Settings]
    data: dict[str, Any]
    title: str


def _by_tag(union: Any, tag: str) -> dict[str, type[Settings]]:
    classes = get_args(get_args(union)[0])
    return {settings.model_fields[tag].default: settings for settings in classes}


SOURCES = _by_tag(Source, "type")
TARGETS = _by_tag(Target, "type")
LOGINS = _by_tag(AuthSettings, "method")
PLAIN: dict[str, type[Settings]] = {
    "log": LogSettings,
    "http": HttpSettings,
    "registry_access": RegistryAccessSettings,
    "schedule": ScheduleSettings,
    "retry": RetrySettings,
}


def walk(data: Any) -> Iterator[Part]:
    """Yield every mapping whose settings are known, parents first."""
    if not isinstance(data, dict):
        return
    yield Part((), Configuration, data, "the configuration")
    yield from _plain(data, ())
    for path, rotation in items(data, "rotations", ()):
        yield Part(path, RotationSettings, rotation, "a rotation")
        yield from _plain(rotation, path)
        for key, known in (("sources", SOURCES), ("targets", TARGETS)):
            for place, item in items(rotation, key, path):
                yield from _tagged(item, place, "type", known)


def items(data: dict[str, Any], key: str, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the mappings of the list under a key, with the path of each."""
    found = data.get(key)
    for number, item in enumerate(found if isinstance(found, list) else []):
        if isinstance(item, dict):
            yield (*path, key, number), item


def _plain(data: dict[str, Any], path: Path) -> Iterator[Part]:
    for key, settings in PLAIN.items():
        found = data.get(key)
        if isinstance(found, dict):
            yield Part((*path, key), settings, found, f"`{key}`")
            yield from _plain(found, (*path, key))


def _tagged(
    data: dict[str, Any], path: Path, tag: str, known: dict[str, type[Settings]]
) -> Iterator[Part]:
    value = data.get(tag)
    if not isinstance(value, str) or value not in known:
        return
    yield Part(path, known[value], data, f"`{tag}: {value}`")
    login = data.get("auth")
    if isinstance(login, dict):
        yield from _tagged(login, (*path, "auth"), "method", LOGINS)
