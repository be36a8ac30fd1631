"""Directories and files for the tests of the `file` target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.targets.file.desk import OLD

if TYPE_CHECKING:
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
