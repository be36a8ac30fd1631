"""The `file` target on the suite's bench: a file in a directory of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rotator.config.targets import FileTargetSettings
from rotator.core.errors import Reason
from rotator.targets.file import LIMIT, build
from tests.privileges import obey_modes
from tests.support import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from rotator.core.model import Policy, Secret
    from rotator.core.ports import Target
    from tests.contract.benches import Trouble


class FileBench:
    """One file, which the test looks at as the user that it is run by."""

    secrets: tuple[Secret, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "docker"
        self.folder.mkdir(mode=0o755)
        self.path = self.folder / "config.json"
        self._found: list[tuple[int, int, int]] = []

    def target(self, policy: Policy) -> Target:
        """Build the driver as a new process does."""
        return build(FileTargetSettings(path=self.path), policy, lambda: NOW)

    def raw(self) -> str | None:
        """Return the file's text without its line end; None where there is no such file."""
        if not self.path.is_file():
            return None
        mode = self.path.stat().st_mode
        self.path.chmod(0o600)  # its owner can read it after all
        text = self.path.read_bytes().decode("utf-8", "replace")
        self.path.chmod(mode)
        return text.removesuffix("\n")

    def put(self, text: str) -> None:
        """Let somebody replace the file, as `docker login` does."""
        draft = self.folder / "draft"
        draft.write_text(f"{text}\n")
        draft.replace(self.path)

    def writes(self) -> int:
        """Return how many times the file was found to be another."""
        status = self.path.stat()
        now = status.st_ino, status.st_mtime_ns, status.st_ctime_ns
        if now not in self._found[-1:]:
            self._found.append(now)
        return len(self._found)

    def troubles(self) -> Mapping[str, Trouble]:
        """Return what can go wrong with a file; it is local: never unreachable, never slow."""
        return {
            "denied": (self._deny, Reason.FORBIDDEN, False),
            "missing": (self._remove_directory, Reason.NOT_FOUND, False),
            "not readable": (self._make_unreadable, Reason.UNREADABLE, False),
            "directory of all": (lambda: self.folder.chmod(0o777), Reason.UNSAFE_PATH, False),
            "directory in its place": (self._full_directory, Reason.INVALID, False),
            "link elsewhere": (self._link_elsewhere, Reason.UNSAFE_PATH, False),
            "pipe": (self._instead(lambda: os.mkfifo(self.path)), Reason.UNSAFE_PATH, False),
            "too large": (self._bytes(b"x" * (LIMIT + 1)), Reason.TOO_LARGE, False),
            "not text": (self._bytes(b"\xff\xfe{\x00}\x00"), Reason.MALFORMED, False),
        }

    def _deny(self) -> None:
        self.folder.chmod(0o500)
        obey_modes(on=True)

    def _make_unreadable(self) -> None:
        self.path.chmod(0o000)
        obey_modes(on=True)

    def _remove_directory(self) -> None:
        self.path.unlink()
        self.folder.rmdir()

    def _full_directory(self) -> None:
        self._instead(self.path.mkdir)()
        (self.path / "somebody's").write_text("file")

    def _link_elsewhere(self) -> None:
        other = self.folder.parent / "other.json"
        self.path.replace(other)
        self.path.symlink_to(other)

    def _instead(self, make: Callable[[], object]) -> Callable[[], None]:
        def trouble() -> None:
            self.path.unlink()
            make()

        return trouble

    def _bytes(self, data: bytes) -> Callable[[], None]:
        def trouble() -> None:
            self.path.write_bytes(data)

        return trouble


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FileBench]:
    """Return a fresh directory."""
    yield FileBench(tmp_path)
    obey_modes(on=False)
