"""A file, and what watches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.system.watch import Watch
from tests.unit.system.watch.files import Heard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file in a directory of its own."""
    path = tmp_path / "docker" / "config.json"
    path.parent.mkdir()
    path.write_text("old")
    return path


@pytest.fixture
def heard() -> Heard:
    """Return what the watch calls."""
    return Heard()


@pytest.fixture
def watching(heard: Heard) -> Iterator[Callable[..., Watch]]:
    """Return a function that watches paths until the test ends; nothing may be warned of."""
    begun: list[Watch] = []
    warnings: list[str] = []

    def begin(*paths: Path) -> Watch:
        begun.append(Watch(paths, heard, warnings.append))
        begun[-1].start()
        return begun[-1]

    yield begin
    for each in begun:
        each.close()
    assert warnings == []
