"""Where a watched file is: directories that come and go, links, mounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support import until
from tests.unit.system.watch.files import Heard, login
from tests.unit.targets.file.desk import publish

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rotator.system.watch import Watch


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
