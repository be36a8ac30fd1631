"""What a file has beside its text, and a new one in its place gets: or it is said."""

from __future__ import annotations

import errno
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import ConflictError, PermanentError, Reason
from rotator.core.model import Secret
from tests.faults import before, failing
from tests.support import need
from tests.unit.targets.file.desk import (
    MARK,
    NEW,
    OLD,
    SOMEBODY,
    STRANGER,
    mode_of,
    names_in,
    publish,
    target,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LABEL = b"system_u:object_r:container_file_t:s0\0"


def access_list(path: Path) -> str:
    """Return the file's access list as `getfacl` shows it."""
    command = [need("getfacl", "acl"), "--omit-header", "--numeric", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def set_access_list(path: Path, *options: str) -> None:
    """Change an access list as a person does."""
    subprocess.run([need("setfacl", "acl"), *options, str(path)], check=True)


def test_an_access_list(path: Path) -> None:
    """Who was given the right to read goes on reading."""
    set_access_list(path, "-m", f"u:{STRANGER}:r,g:{SOMEBODY}:r")
    was = access_list(path), mode_of(path)
    assert publish(path).notes == ()
    assert (access_list(path), mode_of(path)) == was
    assert f"user:{STRANGER}:r--" in was[0]


def test_no_access_list_where_there_was_none(folder: Path, path: Path) -> None:
    """A directory may give one to each new file in it: the file that is replaced had none."""
    set_access_list(folder, "-d", "-m", f"u:{STRANGER}:rw")
    was = access_list(path), mode_of(path)
    publish(path)
    assert (access_list(path), mode_of(path)) == was


def test_a_mode_that_takes_from_the_access_list(path: Path) -> None:
    """What is configured holds, and what that takes away is said."""
    set_access_list(path, "-m", f"u:{STRANGER}:r")
    (note,) = publish(path, mode="0600").notes
    assert "getfacl" in note
    assert mode_of(path) == 0o600
    assert publish(path, OLD, mode="0600").notes == ()


def test_attributes_and_label(path: Path, root: None) -> None:
    """A person's own attributes and the SELinux label stay; the mark is the new one."""
    os.setxattr(path, "user.comment", b"ask the platform team")
    os.setxattr(path, "security.selinux", LABEL)
    os.setxattr(path, "user.rotator", b"an old mark")
    assert publish(path).notes == ()
    assert os.getxattr(path, "user.comment") == b"ask the platform team"
    assert os.getxattr(path, "security.selinux") == LABEL
    assert target(path).read().mark == MARK


def test_what_belongs_to_the_old_text_alone(path: Path, root: None) -> None:
    """The kernel's measurement of the old text would be wrong on the new one."""
    os.setxattr(path, "security.ima", b"\x01" + bytes(20))
    publish(path)
    assert "security.ima" not in os.listxattr(path)


@pytest.mark.parametrize(
    ("name", "value", "command"),
    [
        ("user.comment", b"ask", "setfattr -n user.comment"),
        ("security.selinux", LABEL, "restorecon"),
    ],
)
def test_what_cannot_be_preserved_is_said(
    path: Path, root: None, name: str, value: bytes, command: str
) -> None:
    """It is no reason to publish nothing."""
    os.setxattr(path, name, value)
    with failing("setxattr", errno.EPERM):
        (note,) = publish(path).notes
    assert name in note
    assert "Operation not permitted" in note
    assert f"{command}" in note
    assert path.read_text() == f"{NEW}\n"


def test_an_access_list_that_cannot_be_preserved(path: Path) -> None:
    """The same for it: `setxattr` is called for the mark first."""
    set_access_list(path, "-m", f"u:{STRANGER}:r")
    with failing("setxattr", errno.ENOTSUP, 2):
        (note,) = publish(path).notes
    assert "setfacl" in note
    assert mode_of(path) == 0o640


def test_a_right_given_between_read_and_write(path: Path) -> None:
    """It is a change as another text is, and the next write keeps it."""
    found = target(path)
    held = found.read()
    with (
        before(lambda: set_access_list(path, "-m", f"u:{STRANGER}:r"), frozenset({"renameat2"})),
        pytest.raises(ConflictError),
    ):
        found.write(Secret(NEW), MARK, held)
    assert f"user:{STRANGER}:r--" in access_list(path)
    publish(path)
    assert f"user:{STRANGER}:r--" in access_list(path)


def test_a_second_name_is_said(folder: Path, path: Path) -> None:
    """A hard link goes on showing the old document."""
    os.link(path, folder / "other.json")
    (note,) = publish(path).notes
    assert "2 names" in note
    assert (folder / "other.json").read_text() == f"{OLD}\n"
    assert publish(path, OLD).notes == ()


@pytest.mark.parametrize("how", ["replace", "in_place"])
def test_in_place_changes_nothing_of_it(path: Path, root: None, how: str) -> None:
    """The same file has the same rights, whatever the way of writing."""
    set_access_list(path, "-m", f"u:{STRANGER}:r")
    os.setxattr(path, "security.selinux", LABEL)
    publish(path, write=how)
    assert f"user:{STRANGER}:r--" in access_list(path)
    assert os.getxattr(path, "security.selinux") == LABEL


def test_an_undecodable_text_is_stored_beside_it(folder: Path, path: Path, root: None) -> None:
    """A person's typo is there for those who could read it before."""
    path.write_text('{"auths": {"a": {"auth": "s3cr3t-typo"} "b": {}}}\n')
    os.chown(path, STRANGER, SOMEBODY)
    path.chmod(0o640)
    set_access_list(path, "-m", "u:7:r")
    found = target(path)
    assert found.sets_aside
    assert found.local
    held = found.read()
    answer = found.set_aside(held)
    broken = folder / "config.json.broken"
    assert str(broken) in answer.notes[0]
    assert broken.read_bytes() == path.read_bytes()
    assert (broken.stat().st_uid, broken.stat().st_gid) == (STRANGER, SOMEBODY)
    assert access_list(broken) == access_list(path)
    assert answer.text == held.text
    found.write(Secret(NEW), MARK, answer)
    assert path.read_text() == f"{NEW}\n"
    assert "s3cr3t-typo" in broken.read_text()
    assert names_in(folder) == ["config.json", "config.json.broken"]


def test_two_damages(folder: Path, path: Path) -> None:
    """The text of the one before stays, and no more than that; the same text again counts once."""
    found, broken = target(path), folder / "config.json.broken"
    earlier = folder / f"{broken.name}.1"
    path.write_text("the first typo")
    found.set_aside(found.read())
    for typo in ("the second typo", "the second typo", "the third typo"):
        path.write_text(typo)
        aside = found.set_aside(found.read())
        assert broken.read_text() == typo
        assert earlier.read_text() == ("the first" if "second" in typo else "the second") + " typo"
        found.write(Secret(NEW), MARK, aside)
    assert f"the one before it in {earlier}" in aside.notes[0]
    assert names_in(folder) == ["config.json", broken.name, earlier.name]
    earlier.unlink()
    earlier.mkdir()
    path.write_text("the fourth typo")
    assert str(earlier) not in found.set_aside(found.read()).notes[0]
    assert broken.read_text() == "the fourth typo"


def test_the_broken_text_has_no_mark(folder: Path, path: Path) -> None:
    """A mark says what we wrote, and nobody did write that."""
    publish(path)
    found = target(path)
    found.set_aside(found.read())
    assert os.listxattr(folder / "config.json.broken") == []


@pytest.mark.parametrize("how", ["replace", "in_place"])
def test_a_text_that_changed_is_not_set_aside(folder: Path, path: Path, how: str) -> None:
    """It may be right by now."""
    found = target(path, write=how)
    held = found.read()
    path.write_text("theirs")
    with pytest.raises(ConflictError):
        found.set_aside(held)
    assert names_in(folder) == ["config.json"]


def test_a_link_in_the_place_of_the_broken_text(folder: Path, path: Path) -> None:
    """It is replaced, not followed."""
    elsewhere = folder.parent / "elsewhere"
    elsewhere.write_text("something else")
    (folder / "config.json.broken").symlink_to(elsewhere)
    found = target(path)
    found.set_aside(found.read())
    assert elsewhere.read_text() == "something else"
    assert (folder / "config.json.broken").read_text() == f"{OLD}\n"


def test_where_there_are_no_attributes(folder: Path, mount: Callable[..., None]) -> None:
    """A file system without them has nothing to keep and nothing to say."""
    mount(folder, "-t", "ramfs", "-o", "mode=755", "ramfs")
    path = folder / "config.json"
    publish(path, OLD)
    assert publish(path).notes == ()
    found = target(path)
    found.set_aside(found.read())
    assert names_in(folder) == ["config.json", "config.json.broken"]


def test_a_directory_in_the_place_of_the_text_that_is_set_aside(folder: Path) -> None:
    """It is no bug, and what to do is said."""
    path = folder / "config.json"
    path.write_text('{"x')
    (folder / "config.json.broken").mkdir()
    found = target(path)
    with pytest.raises(PermanentError) as caught:
        found.set_aside(found.read())
    assert (caught.value.reason, path.read_text()) == (Reason.INVALID, '{"x')
    assert f"{path}.broken" in caught.value.hint
