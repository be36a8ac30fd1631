"""The files that rotator writes: none may be one that the configuration names for another purpose.

A target that is the configuration itself, a secret or the journal would destroy it. Links are
followed as far as they are there; nothing is opened.
"""

from __future__ import annotations

import os
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, NamedTuple

from rotator.config.explain import Problem
from rotator.config.places import UNIX
from rotator.config.schema import Configuration
from rotator.config.sources import DockerConfigSourceSettings
from rotator.config.targets import FileTargetSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.config.document import Document
    from rotator.config.explain import Part, Path
    from rotator.config.reading import Reading

# A tmpfs below /dev that holds files like any other directory.
_MEMORY = FilePath("/dev/shm")  # noqa: S108  nothing is written there by itself
# The names of the key, the locks and what is set aside in the state directory.
_OWN = (".key", ".lock", ".set-aside")
_SYSTEM = tuple(FilePath(one) for one in ("/dev", "/proc", "/sys"))


class _Named(NamedTuple):
    """A file that the document names: where, by which key, and where the path leads."""

    path: Path
    settings: type
    real: FilePath

    @property
    def written(self) -> bool:
        """Whether rotator writes it: a target, or the metrics."""
        return self.is_target or self.path == ("metrics_file",)

    @property
    def is_target(self) -> bool:
        """Whether it is a target's file."""
        return issubclass(self.settings, FileTargetSettings)

    def may_be(self, other: _Named) -> bool:
        """Tell whether the other may name the file that this one has rotator write.

        Targets are compared with each other elsewhere: several rotations may share one. A rotation
        may read what another one publishes.
        """
        chained = issubclass(other.settings, DockerConfigSourceSettings)
        return other is self or (
            self.is_target and (other.is_target or (chained and self.path[:2] != other.path[:2]))
        )


def written_files(
    document: Document, reading: Reading, file: FilePath, state_dir: FilePath
) -> Iterator[Problem]:
    """Yield each file that rotator would write and that is, or may become, something else.

    `file`: where the document is.
    """
    named = [one for part in reading.parts.values() for one in _named(part, reading)]
    by_place: dict[FilePath, list[_Named]] = {}
    for one in named:
        by_place.setdefault(one.real, []).append(one)
    configuration, journal = _real(file), _real(state_dir)
    journals = {
        f"{name}.json"
        for path, name in reading.right.items()
        if path[::2] == ("rotations", "name") and len(path) == len(("rotations", 0, "name"))
    }

    def is_own(name: str) -> bool:
        return name in journals or name.endswith(_OWN)

    for one in (one for one in named if one.written):
        key = one.path[-1]
        given = reading.right[one.path]
        if _is_the_systems(given) or _is_the_systems(one.real):
            message = "devices and what the kernel shows are no place for a document"
        elif one.real == configuration:
            message = "this is the configuration itself, which would be overwritten"
        elif one.real == journal or (one.real.parent == journal and is_own(one.real.name)):
            message = f"that is a name of rotator's own files in {state_dir}"
        elif other := next((two for two in by_place[one.real] if not one.may_be(two)), None):
            line = document.place(other.path).line
            message = f"`{other.path[-1]}` in line {line} names this file too"
        else:
            continue
        yield Problem(one.path, f"`{key}`: {message}; choose a file of its own")


def _named(part: Part, reading: Reading) -> Iterator[_Named]:
    """Yield the files that one mapping names, also by default."""
    for key, kind in part.settings.keys().items():
        path = (*part.path, key)
        value = reading.right.get(path, kind.default)
        if isinstance(value, str) and value.startswith(f"{UNIX}/"):
            value = FilePath(value.removeprefix(UNIX))
        if isinstance(value, FilePath) and (part.settings, key) != (Configuration, "state_dir"):
            yield _Named(path, part.settings, _real(value))


def _real(path: FilePath) -> FilePath:
    return FilePath(os.path.realpath(path))


def _is_the_systems(path: FilePath) -> bool:
    return _MEMORY not in path.parents and any(one in path.parents for one in _SYSTEM)
