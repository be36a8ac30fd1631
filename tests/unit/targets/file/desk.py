"""What the tests of the `file` target do again and again."""

from __future__ import annotations

import shlex
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from rotator.config.targets import FileTargetSettings
from rotator.core.errors import DriverError
from rotator.core.model import Content, Held, Mark, Policy, Secret
from rotator.targets.file import build
from tests.support import NOW, made

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.core.ports import Target

MARK = Mark({"one.example.com": None}, "hmac:0123456789ab", "dind")
OLD, NEW = '{"auths":{"old":{}}}', '{"auths":{"new":{}}}'
STRANGER, SOMEBODY = 12345, 54321


def target(path: Path, *, content: Content = Content.DOCKER_CONFIG, **keys: Any) -> Target:
    """Return the target as a new process builds it."""
    settings = made(FileTargetSettings, path=path, **keys)
    return build(settings, Policy(content=content), lambda: NOW)


def publish(path: Path, text: str = NEW, **keys: Any) -> Held:
    """Read and write, as a cycle does."""
    found = target(path, **keys)
    return found.write(Secret(text), MARK, found.read())


def names_in(folder: Path) -> list[str]:
    """Return what is in the directory."""
    return sorted(found.name for found in folder.iterdir())


def refusal(path: Path, text: str = NEW, **keys: Any) -> DriverError:
    """Return the error of a cycle; the file and its directory stay as they were."""
    before = path.read_bytes() if path.is_file() else None
    names = names_in(path.parent) if path.parent.is_dir() else None
    with pytest.raises(DriverError) as caught:
        publish(path, text, **keys)
    assert before == (path.read_bytes() if path.is_file() else None)
    assert names == (names_in(path.parent) if path.parent.is_dir() else None)
    return caught.value


def obey(error: DriverError) -> None:
    """Type the command that the hint begins with."""
    command, _, _ = error.hint.partition(";")
    subprocess.run(shlex.split(command.rpartition(": ")[2]), check=True)


def opening(path: Path) -> int:
    """Return which call of `open` it is that opens the file: each directory on the way is one.

    After `/` and the directories come a look whether the file is a link, and the last directory
    once more, to be read.
    """
    return len(path.parts) + 2


def mode_of(path: Path) -> int:
    """Return the file's mode."""
    return stat.S_IMODE(path.stat().st_mode)
