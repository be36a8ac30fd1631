"""Files that others change, and what is heard of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Heard:
    """Remembers which files were said to have changed, and when."""

    def __init__(self) -> None:
        self.calls: list[tuple[Path, float]] = []

    def __call__(self, path: Path) -> None:
        """Take a call."""
        self.calls.append((path, time.monotonic()))

    def of(self, path: Path) -> int:
        """Return how often it was this one."""
        return sum(called == path for called, _ in self.calls)


def login(path: Path, text: str = "theirs") -> None:
    """Replace a file as `docker login` does."""
    draft = path.with_name("config.json123")
    draft.write_text(text)
    draft.replace(path)
