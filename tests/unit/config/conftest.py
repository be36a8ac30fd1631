from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.config.load import load
from rotator.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rotator.config.schema import Configuration

    Write = Callable[[str | bytes], Path]
    Loaded = Callable[[str], Configuration]
    Problems = Callable[[str | bytes], list[str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a configuration file and return its path."""

    def write_file(content: str | bytes) -> Path:
        path = tmp_path / "rotator.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


@pytest.fixture
def loaded(write: Write) -> Loaded:
    """Load a text."""
    return lambda text: load(write(text), {})


@pytest.fixture
def reported(write: Write) -> Problems:
    """Return what is said of a text, without the file's name; nothing where it is right."""

    def problems(text: str | bytes) -> list[str]:
        path = write(text)
        try:
            load(path, {})
        except ConfigError as error:
            return [line.removeprefix(f"{path}:") for line in error.problems]
        return []

    return problems
