"""The way to the file: whose links are followed, who may not put anything in it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import DriverError, GoneError, Reason
from rotator.core.model import Secret
from tests.faults import before
from tests.unit.targets.file.desk import (
    MARK,
    NEW,
    OLD,
    SOMEBODY,
    STRANGER,
    obey,
    opening,
    publish,
    refusal,
    target,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWNER = str(STRANGER)
SWAP = """
import os, sys
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
while True:
    os.rename(".docker", "away")
    os.symlink(sys.argv[1], ".docker")
    os.unlink(".docker")
    os.rename("away", ".docker")
"""


@pytest.fixture
def treasure(folder: Path) -> Iterator[Path]:
    """Return a docker config of root's; nobody has written into it or been given it afterwards."""
    hoard = folder.parent / "root"
    hoard.mkdir(mode=0o755)
    treasure = hoard / "config.json"
    treasure.write_text('{"auths":{"root.example.com":{"auth":"s3cr3t-root"}}}\n')
    treasure.chmod(0o600)
    was = treasure.read_bytes(), treasure.stat()
    yield treasure
    now = treasure.stat()
    assert treasure.read_bytes() == was[0]
    assert (now.st_uid, now.st_mode, now.st_ino) == (0, was[1].st_mode, was[1].st_ino)
    assert [found.name for found in hoard.iterdir()] == ["config.json"]


@pytest.fixture
def home(folder: Path, root: None) -> Path:
    """Return the directory of the user that the file is meant for."""
    home = folder.parent / "home"
    home.mkdir(mode=0o755)
    os.chown(home, STRANGER, STRANGER)
    return home


def theirs(path: Path) -> Path:
    """Give something to the user, not what a link leads to."""
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
    return path


def directory_of_theirs(path: Path) -> Path:
    """Make a directory of the user's."""
    path.mkdir(mode=0o755)
    return theirs(path)


@pytest.mark.parametrize("made_by", ["the owner", "root"])
def test_a_link_of_the_owners_to_roots_directory(home: Path, treasure: Path, made_by: str) -> None:
    """Whoever made a link in the owner's directory, the owner could have put it there."""
    link = home / ".docker"
    link.symlink_to(treasure.parent)
    if made_by == "the owner":
        theirs(link)
    error = refusal(link / "config.json", owner=OWNER)
    assert error.reason == Reason.UNSAFE_PATH
    assert isinstance(error, GoneError)
    assert str(link) in error.detail
    assert f"rm {link}" in error.hint


def test_a_link_below_what_the_owner_could_have_moved(home: Path, treasure: Path) -> None:
    """Root's directory in the owner's can be any of root's that the owner has moved there."""
    inner = home / "inner"
    inner.mkdir()
    (inner / "link").symlink_to(treasure.parent)
    assert refusal(inner / "link" / "config.json", owner=OWNER).reason == Reason.UNSAFE_PATH


def test_a_link_of_the_owners_in_a_directory_like_tmp(home: Path, treasure: Path) -> None:
    """There, too, everybody can make links."""
    os.chown(home, 0, 0)
    home.chmod(0o1777)
    link = home / "docker"
    link.symlink_to(treasure.parent)
    theirs(link)
    assert refusal(link / "config.json", owner=OWNER).reason == Reason.UNSAFE_PATH


def test_a_link_of_the_owners_instead_of_the_file(home: Path, treasure: Path) -> None:
    """It leads to another directory."""
    path = home / "config.json"
    path.symlink_to(treasure)
    theirs(path)
    assert refusal(path, owner=OWNER).reason == Reason.UNSAFE_PATH


@pytest.mark.parametrize("how", ["replace", "in_place"])
def test_roots_file_is_not_given_away_over_a_link(home: Path, how: str) -> None:
    """In the same directory, too, the owner could point at what is root's."""
    roots = home / "roots.json"
    roots.write_text(f"{OLD}\n")
    roots.chmod(0o600)
    path = home / "config.json"
    path.symlink_to("roots.json")
    error = refusal(path, owner=OWNER, write=how)
    assert error.reason == Reason.UNSAFE_PATH
    assert (roots.stat().st_uid, roots.read_text()) == (0, f"{OLD}\n")


@pytest.mark.parametrize("how", ["replace", "in_place"])
def test_roots_file_is_not_given_away_over_a_second_name(
    home: Path, treasure: Path, how: str
) -> None:
    """The kernel can let others make hard links, which are as good as symbolic ones."""
    path = home / "config.json"
    os.link(treasure, path)
    error = refusal(path, owner=OWNER, write=how)
    assert error.reason == Reason.UNSAFE_PATH
    assert "hard links" in error.detail
    obey(error)
    publish(path, owner=OWNER)
    assert path.stat().st_uid == STRANGER


def test_a_link_of_the_owners_to_what_is_theirs(home: Path) -> None:
    """Their own directory elsewhere is as good a place."""
    (home / "dotfiles").mkdir()
    theirs(home / "dotfiles")
    (home / ".docker").symlink_to("dotfiles")
    publish(theirs(home / ".docker") / "config.json", owner=OWNER)
    written = home / "dotfiles" / "config.json"
    assert (written.read_text(), written.stat().st_uid) == (f"{NEW}\n", STRANGER)
    publish(home / ".docker" / "config.json", OLD, owner=OWNER)
    assert written.read_text() == f"{OLD}\n"


@pytest.mark.parametrize("absolute", [True, False])
def test_roots_links_are_followed(folder: Path, path: Path, *, absolute: bool) -> None:
    """`/var/run` leads to `/run`, and a volume of Kubernetes through `..data` to a version."""
    base = folder.parent
    (base / "var").mkdir(mode=0o755)
    (base / "var" / "run").symlink_to(folder if absolute else "../docker")
    (folder / "..2026").mkdir(mode=0o755)
    (folder / "..data").symlink_to(folder / "..2026" if absolute else "..2026")
    way = base / "var" / "run" / "..data" / "config.json"
    publish(way)
    assert (folder / "..2026" / "config.json").read_text() == f"{NEW}\n"
    publish(base / "var" / ".." / "var" / "run" / "config.json")
    assert path.read_text() == f"{NEW}\n"


def test_a_link_of_roots_gives_the_file_to_the_owner(folder: Path, path: Path, root: None) -> None:
    """Nobody but root could have made it, so that is what root wants."""
    (folder.parent / "link").symlink_to("docker")
    publish(folder.parent / "link" / "config.json", owner=OWNER)
    assert path.stat().st_uid == STRANGER


def test_links_without_end(folder: Path) -> None:
    """Directories that lead to each other lead nowhere."""
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    assert refusal(folder / "a" / "config.json").reason == Reason.UNSAFE_PATH


@pytest.mark.parametrize("kind", ["directory", "link"])
def test_in_a_strangers_directory(folder: Path, path: Path, root: None, kind: str) -> None:
    """Whatever is there now, they could put a link to anywhere in its place."""
    middle = folder.parent / "middle"
    middle.mkdir(mode=0o755)
    if kind == "directory":
        (middle / "docker").mkdir()
    else:
        (middle / "docker").symlink_to(folder)
    os.chown(middle, SOMEBODY, -1)
    way = middle / "docker" / "config.json"
    error = refusal(way)
    assert error.reason == Reason.UNSAFE_PATH
    assert str(middle) in error.detail
    assert refusal(way, owner=OWNER).reason == Reason.UNSAFE_PATH
    obey(error)
    publish(way)


@pytest.mark.parametrize(("mode", "gid"), [(0o777, 0), (0o757, 0), (0o775, 1), (0o775, SOMEBODY)])
@pytest.mark.parametrize("remedy", ["first", "last"])
def test_below_a_directory_that_others_can_write(
    folder: Path, path: Path, root: None, mode: int, gid: int, remedy: str
) -> None:
    """They could put another directory in the place of ours; both of the hint's commands help."""
    os.chown(folder.parent, -1, gid)
    folder.parent.chmod(mode)
    error = refusal(path)
    assert error.reason == Reason.UNSAFE_PATH
    assert str(folder.parent) in error.detail
    if remedy == "last":
        error.hint = error.hint.rpartition("; ")[2]
    obey(error)
    publish(path)


def test_below_a_directory_of_ones_own_group(folder: Path, path: Path, root: None) -> None:
    """Many systems give each user a group: a directory that it can write is nobody else's."""
    os.chown(folder.parent, -1, 0)  # root's own
    folder.parent.chmod(0o775)
    publish(path)


@pytest.mark.parametrize("kind", ["directory", "link"])
def test_below_a_directory_like_tmp(folder: Path, path: Path, root: None, kind: str) -> None:
    """What is ours there nobody else can replace; what a stranger made is refused."""
    shared = folder.parent / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    ours = shared / "docker"
    if kind == "directory":
        ours.mkdir(mode=0o755)
    else:
        ours.symlink_to(folder)
    publish(ours / "config.json")
    theirs(ours)
    error = refusal(ours / "config.json")
    assert error.reason == Reason.UNSAFE_PATH
    obey(error)
    ours.mkdir(mode=0o755)
    publish(ours / "config.json")


def test_a_directory_swapped_for_a_link_at_any_step(home: Path, treasure: Path) -> None:
    """The owner may do it between any two calls: what is root's is neither read nor written."""
    docker = home / ".docker"
    path = docker / "config.json"
    outcomes = set()

    def swap() -> None:
        docker.rename(home / "away")
        docker.symlink_to(treasure.parent)
        theirs(docker)

    for number in range(1, 3 * opening(path) + 20):
        directory_of_theirs(docker)
        with before(swap, frozenset({"open", "stat", "fstat", "renameat2", "link"}), number):
            try:
                found = target(path, owner=OWNER)
                held = found.read()
                assert held.text is None
                found.write(Secret(NEW), MARK, held)
            except DriverError as error:
                outcomes.add(error.reason)
            else:
                outcomes.add("written")
        if docker.is_symlink():
            docker.unlink()
            (home / "away").rename(docker)
        assert {found.name for found in docker.iterdir()} <= {"config.json"}
        path.unlink(missing_ok=True)
        docker.rmdir()
    assert outcomes == {Reason.UNSAFE_PATH, "written"}


def test_a_user_who_swaps_as_fast_as_they_can(home: Path, treasure: Path) -> None:
    """A process of the owner's swaps directory and link without a pause."""
    path = directory_of_theirs(home / ".docker") / "config.json"
    outcomes = []
    command = [sys.executable, "-c", SWAP, str(treasure.parent), OWNER]
    with subprocess.Popen(command, cwd=home) as swapper:
        try:
            while len(outcomes) < 300 or not {"written", "unsafe_path"} <= set(outcomes):
                assert swapper.poll() is None
                try:
                    publish(path, [OLD, NEW][len(outcomes) % 2], owner=OWNER, durable=False)
                except DriverError as error:
                    outcomes.append(str(error.reason))
                else:
                    outcomes.append("written")
        finally:
            swapper.kill()
    # `invalid`: a link when it was opened, a directory when it was read.
    assert set(outcomes) <= {"written", "unsafe_path", "not_found", "invalid"}
