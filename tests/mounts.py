"""Real mounts, for tests that run as root."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support import missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


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
