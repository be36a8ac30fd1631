"""What is built: the files that git knows, with their version and the time of the commit."""

from __future__ import annotations

import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[2]
NAME = "registry-rotator"
VERSION_FILE = "rotator/__init__.py"
VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_BEFORE = re.compile(r"\.?((?:dev|rc)\d+)$")
"""What a version that comes before a release ends with."""


@dataclass(frozen=True)
class Source:
    """The project's files in a directory of their own."""

    folder: Path
    version: str
    revision: str
    epoch: int
    """Seconds since 1970: the commit's time, which every file in every archive gets."""

    def read(self, path: str) -> bytes:
        """Return what a file of the project holds."""
        return (self.folder / path).read_bytes()


def debian_version(version: str) -> str:
    """Return a version as dpkg compares it: 0.2.0~rc1 comes before 0.2.0."""
    return _BEFORE.sub(r"~\1", version)


def chart_version(version: str) -> str:
    """Return a version as Helm compares it, which takes Semantic Versioning alone."""
    return _BEFORE.sub(r"-\1", version)


def git(*words: str) -> str:
    """Return what git says about the project."""
    return subprocess.run(
        ["git", *words], cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def tree() -> str:
    """Return what names the files that git knows, as they are now: committed or not."""
    who = ("-c", "user.name=dist", "-c", "user.email=dist@localhost")
    return git(*who, "stash", "create") or git("rev-parse", "HEAD")


@contextmanager
def unpacked() -> Iterator[Source]:
    """Give what is checked out."""
    revision, epoch = git("log", "-1", "--format=%H %ct").split()
    now = tree()
    with TemporaryDirectory(prefix="rotator-dist-") as place:
        folder = Path(place, "source")
        folder.mkdir()
        archive = subprocess.run(
            ["git", "archive", now], cwd=PROJECT, check=True, stdout=subprocess.PIPE
        ).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        (found,) = VERSION.findall((folder / VERSION_FILE).read_text())
        label = revision if now == revision else f"{revision}-changed"
        yield Source(folder, found, label, int(epoch))
