"""Where nothing can be watched, and the end of a watch."""

from __future__ import annotations

import resource
import threading
from typing import TYPE_CHECKING

import pytest

from rotator.system.watch import Watch
from tests.privileges import obey_modes
from tests.support import until
from tests.unit.system.watch.files import Heard, login

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_where_nothing_can_be_watched(path: Path, heard: Heard) -> None:
    """It is said once, and the poll is there all the same."""
    warnings: list[str] = []
    watched = Watch([path], heard, warnings.append)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        watched.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    watched.close()
    (warning,) = warnings
    assert "sysctl fs.inotify.max_user_instances" in warning


def test_a_directory_that_may_not_be_watched(path: Path, heard: Heard) -> None:
    """The same where the kernel refuses one directory; a second one is not said again."""
    warnings: list[str] = []
    closed = [path.parent.with_name(name) for name in ("one", "two")]
    for folder in closed:
        folder.mkdir(mode=0)
    watched = Watch([path, *(folder / "config.json" for folder in closed)], heard, warnings.append)
    obey_modes(on=True)
    try:
        watched.start()
    finally:
        obey_modes(on=False)
    login(path)
    until(lambda: heard.of(path) == 1, what="the file that can be watched")
    watched.close()
    (warning,) = warnings
    assert "Permission denied" in warning
    assert "sysctl fs.inotify.max_user_watches" in warning


def test_nothing_to_watch_takes_no_thread(heard: Heard) -> None:
    """Most rotations have no file target."""
    before = threading.active_count()
    watched = Watch([], heard, pytest.fail)
    watched.start()
    assert threading.active_count() == before
    watched.close()


def test_the_end(path: Path, heard: Heard, watching: Callable[..., Watch]) -> None:
    """Nothing is called any more, and it may end itself from the call."""
    watched = watching(path)
    watched.close()
    login(path)
    watched.close()
    again: list[Watch] = []
    done = threading.Event()

    def end(_: Path) -> None:
        again[0].close()
        done.set()

    again.append(Watch([path], end, pytest.fail))
    again[0].start()
    login(path)
    assert done.wait(30)
    assert heard.calls == []
