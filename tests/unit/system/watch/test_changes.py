"""Which changes of a file are noticed, and how often."""

from __future__ import annotations

import subprocess
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator.system import watch
from rotator.system.watch import Watch
from tests.support import until
from tests.unit.system.watch.files import Heard, login
from tests.unit.targets.file.desk import publish

if TYPE_CHECKING:
    from collections.abc import Callable


def link(path: Path) -> None:
    """Put a symbolic link in the place of a file."""
    path.unlink()
    path.symlink_to("nowhere")


def make_directory(path: Path) -> None:
    """Put a directory in the place of a file, as Docker does."""
    path.unlink()
    path.mkdir()


def nothing_more(heard: Heard, path: Path, marker: Path) -> int:
    """Change another file and wait until that is noticed; return the calls for the first one."""
    marker.write_text("marker")
    until(lambda: heard.of(marker), what="the marker to be noticed")
    return heard.of(path)


@pytest.mark.parametrize(
    "change",
    [
        login,
        lambda path: path.write_text("theirs"),
        lambda path: path.unlink(),
        lambda path: path.rename(path.with_name("away")),
        link,
        make_directory,
    ],
    ids=["rename", "in place", "removed", "moved away", "link", "directory"],
)
def test_a_change_is_noticed_at_once(
    path: Path, heard: Heard, watching: Callable[..., Watch], change: Callable[[Path], None]
) -> None:
    """Whatever the way; several steps of one change are one."""
    watching(path)
    begun = time.monotonic()
    change(path)
    until(lambda: heard.calls, what="the change to be noticed")
    assert heard.calls[0][1] - begun < 2
    assert heard.of(path) == 1


def test_again_and_again(path: Path, heard: Heard, watching: Callable[..., Watch]) -> None:
    """Each new file in its place is watched as the first one was."""
    watching(path)
    for number in range(1, 4):
        login(path, f"{number}")
        until(lambda number=number: heard.of(path) == number, what="a login")  # type: ignore[misc]  # bound now
        path.write_text(f"{number} in place")
        until(lambda number=number: heard.of(path) == number + 1, what="a write")  # type: ignore[misc]  # bound now
        heard.calls.pop()


def test_what_a_rotator_publishes_is_no_change(
    path: Path, heard: Heard, watching: Callable[..., Watch]
) -> None:
    """Ours or another one's: there is nothing to repair."""
    marker = path.with_name("marker")
    watching(path, marker)
    for number in range(3):
        publish(path, f"{number}")
    assert nothing_more(heard, path, marker) == 0
    path.write_text("theirs")
    until(lambda: heard.of(path) == 1, what="a write in place")
    login(path)
    until(lambda: heard.of(path) == 2, what="the login")


def test_other_files_there_are_none_of_ours(
    path: Path, heard: Heard, watching: Callable[..., Watch]
) -> None:
    """A directory may hold more than the file."""
    marker = path.with_name("marker")
    watching(path, marker)
    path.with_name("config.json.bak").write_text("theirs")
    path.with_name("other").write_text("theirs")
    path.read_text()
    assert nothing_more(heard, path, marker) == 0


def test_many_changes_are_few_calls(
    path: Path, heard: Heard, watching: Callable[..., Watch]
) -> None:
    """Somebody who writes without a pause wakes us twice a second, and the last write counts."""
    watching(path)
    begun = time.monotonic()
    while (last := time.monotonic()) - begun < 2:
        login(path)
    login(path)
    until(lambda: heard.calls[-1][1] > last, what="the last change")
    assert 3 <= heard.of(path) <= 7
    gaps = [b[1] - a[1] for a, b in pairwise(heard.calls)]
    assert min(gaps) > watch.SPACING * 0.9


def test_calls_run_out() -> None:
    """After a burst they are rare; a quiet time gives them back."""
    file, now = watch._File(Path("/nowhere")), 1000.0
    times = []
    for _ in range(watch.BURST + 50):
        file.changed_at = now
        at = file.call_at()
        assert at is not None
        now = at
        times.append(now)
        file.count_call(now)
    gaps = [b - a for a, b in pairwise(times)]
    assert gaps[50] == pytest.approx(watch.SPACING)
    assert gaps[-1] == pytest.approx(watch.REFILL)
    now += watch.BURST * watch.REFILL
    file.changed_at = now
    assert file.call_at() == now + watch.QUIET


def test_more_changes_than_the_kernel_counts(path: Path) -> None:
    """Where it has dropped some, every file may be one of them."""
    other = path.parent.with_name("other") / "config.json"
    other.parent.mkdir()
    calls: list[Path] = []
    go_on = threading.Event()

    def called(changed: Path) -> None:
        calls.append(changed)
        go_on.wait(60)

    watched = Watch([path, other], called, pytest.fail)
    watched.start()
    login(path)
    until(lambda: calls, what="the first call, which holds the watch")
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(most // 2 + 1):  # made and closed
        path.with_name(f"{number}").touch()
    go_on.set()
    until(lambda: other in calls, what="the file of which nothing was heard")
    watched.close()


def test_a_hundred_logins(path: Path, heard: Heard, watching: Callable[..., Watch]) -> None:
    """Many at once, from real processes: the last of them is noticed within two seconds."""
    watching(path)
    script = 'printf %s "$1" >"$0.$1"; mv "$0.$1" "$0"'
    logins = [
        subprocess.Popen(["sh", "-c", script, str(path), str(number)]) for number in range(100)
    ]
    for each in logins:
        each.wait()
    ended = time.monotonic()
    until(lambda: heard.calls and heard.calls[-1][1] >= ended - 0.5, what="the last login")
    assert heard.calls[-1][1] - ended < 2
    assert heard.of(path) < 100
