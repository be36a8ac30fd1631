"""Directories, files and mounts for the tests of the `file` target."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support import missing
from tests.unit.targets.file.desk import OLD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a directory that only its owner can write in."""
    folder = tmp_path / "docker"
    folder.mkdir(mode=0o755)
    return folder


@pytest.fixture
def path(folder: Path) -> Path:
    """Return a file that holds the old document."""
    path = folder / "config.json"
    path.write_text(f"{OLD}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def root() -> None:
    """Skip where we are not root."""
    if os.geteuid():
        missing("root", "sudo make test")


@pytest.fixture
def mount(root: None) -> Iterator[Callable[..., None]]:
    """Return a function that mounts something until the test ends."""
    mounted: list[Path] = []

    def mount(where: Path, *options: str) -> None:
        subprocess.run(["mount", *options, str(where)], check=True)
        mounted.append(where)

    yield mount
    for where in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(where)], check=True)
