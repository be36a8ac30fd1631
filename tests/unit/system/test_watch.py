"""A change to a file is noticed at once, once, and not more often than is good for anybody."""

from __future__ import annotations

import resource
import subprocess
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator.system import watch
from rotator.system.watch import Watch
from tests.privileges import obey_modes
from tests.support import until
from tests.unit.targets.file.desk import publish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file in a directory of its own."""
    path = tmp_path / "docker" / "config.json"
    path.parent.mkdir()
    path.write_text("old")
    return path


@pytest.fixture
def heard() -> Heard:
    """Return what the watch calls."""
    return Heard()


@pytest.fixture
def watching(heard: Heard) -> Iterator[Callable[..., Watch]]:
    """Return a function that watches paths until the test ends; nothing may be warned of."""
    begun: list[Watch] = []
    warnings: list[str] = []

    def begin(*paths: Path) -> Watch:
        begun.append(Watch(paths, heard, warnings.append))
        begun[-1].start()
        return begun[-1]

    yield begin
    for each in begun:
        each.close()
    assert warnings == []


def login(path: Path, text: str = "theirs") -> None:
    """Replace a file as `docker login` does."""
    draft = path.with_name("config.json123")
    draft.write_text(text)
    draft.replace(path)


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


def test_a_directory_that_is_made_later_or_again(
    path: Path, heard: Heard, watching: Callable[..., Watch]
) -> None:
    """It is found within seconds, and that is a change."""
    later = path.parent.parent / "later" / "config.json"
    watching(path, later)
    path.unlink()
    path.parent.rmdir()
    until(lambda: heard.of(path) == 1, what="the directory to be missed")
    for each in (path, later):
        each.parent.mkdir()
        each.write_text("new")
    until(lambda: heard.of(path) == 2, what="the directory that is there again")
    until(lambda: heard.of(later) == 1, what="the directory that is there now")
    login(later)
    login(path)
    until(lambda: heard.of(path) == 3 and heard.of(later) == 2, what="the logins")


def test_a_directory_that_is_replaced(
    path: Path, heard: Heard, watching: Callable[..., Watch]
) -> None:
    """Another one that is put in its place is watched at once."""
    watching(path)
    new = path.parent.with_name("new")
    new.mkdir()
    path.parent.rename(path.parent.with_name("away"))
    new.rename(path.parent)
    until(lambda: heard.of(path) == 1, what="the other directory")
    login(path)
    until(lambda: heard.of(path) == 2, seconds=3, what="the login")


def test_a_link_in_the_directory(path: Path, heard: Heard, watching: Callable[..., Watch]) -> None:
    """The file behind it is watched, and the link."""
    pointer = path.with_name("pointer.json")
    pointer.symlink_to(path.name)
    watching(pointer)
    login(path)
    until(lambda: heard.of(pointer) == 1, what="the login")
    login(pointer)
    until(lambda: heard.of(pointer) == 2, seconds=3, what="the file in place of the link")


def test_a_file_that_is_a_mount(
    path: Path, heard: Heard, watching: Callable[..., Watch], mount: Callable[..., None]
) -> None:
    """What is written through the mount's other name does not pass by the directory."""
    source = path.parent.parent / "source.json"
    source.write_text("old")
    mount(path, "--bind", str(source))
    watching(path)
    source.write_text("theirs")
    until(lambda: heard.of(path) == 1, what="the write")
    publish(path, write="in_place")
    until(lambda: heard.of(path) == 2, what="our own write, which looks like others'")


def test_a_mount_over_the_directory(
    path: Path, heard: Heard, watching: Callable[..., Watch], mount: Callable[..., None]
) -> None:
    """The kernel says nothing of it: it is found within seconds."""
    watching(path)
    mount(path.parent, "-t", "tmpfs", "tmpfs")
    until(lambda: heard.of(path) == 1, what="the mount")
    login(path)
    until(lambda: heard.of(path) == 2, what="the login")


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
