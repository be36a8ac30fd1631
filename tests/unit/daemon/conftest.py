"""A place where everything works."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.unit.daemon.place import Place

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place where everything works."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return Place(tmp_path)
