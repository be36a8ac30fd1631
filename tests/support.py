"""Small things that many tests use."""

from __future__ import annotations

import os
import shutil
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any, TypeVar

from rotator.config.reading import Reading
from rotator.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

SettingsT = TypeVar("SettingsT", bound=Settings)

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)

MARKED = "s3cr3t-"
"""How every secret in the tests begins, so that a search for it finds each place that leaks one."""


_chance = SystemRandom()


def missing(what: str, install: str) -> None:
    """Skip the test, saying what to install; fail it where nothing may be skipped (CI)."""
    import pytest  # noqa: PLC0415  the demo has none

    message = f"{what} is not here: {install}"
    if os.environ.get("ROTATOR_TEST_NO_SKIP"):
        pytest.fail(message)
    pytest.skip(message)


def need(program: str, package: str) -> str:
    """Return the program's path, or skip with the command that installs it."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        missing(program, f"apt-get install {package}")
    assert path is not None
    return path


def made(kind: type[SettingsT], **keys: Any) -> SettingsT:
    """Return settings from keys as a file has them; paths and numbers are written as there."""
    reading = Reading()
    settings: SettingsT = reading.read(kind, _written(keys))
    assert not reading.problems, reading.problems
    return settings


def _written(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _written(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_written(item) for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None else str(value)


def free_port() -> int:
    """Return a loopback TCP port that was free a moment ago.

    It is none of those that the system gives to whoever connects or asks for any: another test
    would be given it before it is used.
    """
    while True:
        port = _chance.randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def aged(path: Path, seconds: float = 3600.0) -> Path:
    """Make a file look as if it was written so long ago, and return it."""
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


def open_files() -> list[str]:
    """Return what each open file descriptor of this process leads to: a path, `pipe:[1234]`."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # another thread has closed it, or it was the listing's own
            found.append(str(descriptor.readlink()))
    return found


def until(condition: Callable[[], object], seconds: float = 30.0, what: str = "") -> None:
    """Wait until the condition holds; fail, saying what was waited for, if it never does."""
    deadline = time.monotonic() + seconds
    pause = 0.005
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what or condition}")
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
