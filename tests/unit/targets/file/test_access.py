"""Whose the file is, where it may be, and what the system's errors mean."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shlex
import socket
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import DriverError, Reason, TemporaryError
from tests.faults import before, failing
from tests.unit.targets.file.desk import (
    NEW,
    SOMEBODY,
    STRANGER,
    mode_of,
    obey,
    opening,
    publish,
    refusal,
    target,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("existing", "configured", "becomes"),
    [
        pytest.param(None, None, 0o600, id="new"),
        pytest.param(None, "0644", 0o644, id="new, configured"),
        pytest.param(0o640, None, 0o640, id="stays"),
        pytest.param(0o640, "0600", 0o600, id="changed by configuration"),
        pytest.param(0o666, None, 0o664, id="never writable by everybody"),
    ],
)
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_mode(
    folder: Path, existing: int | None, configured: str | None, becomes: int, umask: int
) -> None:
    """A new file is its owner's alone; one that is there keeps its mode unless one is set."""
    path = folder / "config.json"
    if existing is not None:
        path.write_text("{}")
        path.chmod(existing)
    keys = {} if configured is None else {"mode": configured}
    masked = os.umask(umask)
    try:
        publish(path, **keys)
    finally:
        os.umask(masked)
    assert mode_of(path) == becomes


def test_owner_and_group_stay(path: Path, root: None) -> None:
    """Root's rotator does not take the file away from those who read it."""
    os.chown(path, STRANGER, SOMEBODY)
    publish(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (STRANGER, SOMEBODY)


@pytest.mark.parametrize(
    ("owner", "group"),
    [
        (str(STRANGER), str(SOMEBODY)),
        (pwd.getpwuid(1).pw_name, grp.getgrgid(2).gr_name),
        (None, str(SOMEBODY)),
    ],
    ids=["numbers", "names", "group alone"],
)
@pytest.mark.parametrize("how", ["replace", "in_place"])
def test_owner_and_group_as_configured(
    path: Path, root: None, owner: str | None, group: str, how: str
) -> None:
    """Names and numbers are taken; what is not named stays."""
    os.chown(path, 777, 777)
    publish(path, owner=owner, group=group, mode="0640", write=how)
    uid = {str(STRANGER): STRANGER, None: 777}.get(owner, 1)
    gid = SOMEBODY if group == str(SOMEBODY) else 2
    assert (path.stat().st_uid, path.stat().st_gid, mode_of(path)) == (uid, gid, 0o640)


def test_says_what_is_not_as_configured(path: Path, root: None) -> None:
    """A text that is right is not written again; a person may want the mode at once."""
    found = target(path, mode="0644", owner=str(STRANGER), group=str(SOMEBODY))
    notes = found.read().notes
    assert len(notes) == 3
    for note in notes:
        subprocess.run(shlex.split(note.rpartition("now: ")[2]), check=True)
    assert found.read().notes == ()
    assert (path.stat().st_uid, path.stat().st_gid) == (STRANGER, SOMEBODY)
    assert mode_of(path) == 0o644


@pytest.mark.parametrize("key", ["owner", "group"])
def test_nobody_of_that_name(path: Path, key: str) -> None:
    """It is an error, with the command that shows who is there."""
    error = refusal(path, **{key: "nobody-of-that-name"})
    assert error.reason == Reason.INVALID
    assert "getent" in error.hint


def test_a_file_that_cannot_keep_its_owner(path: Path, root: None) -> None:
    """Taking it away from its readers is no solution: a person decides."""
    os.chown(path, STRANGER, SOMEBODY)
    with failing("fchown", errno.EPERM):
        error = refusal(path)
    assert error.reason == Reason.FORBIDDEN
    assert path.stat().st_uid == STRANGER


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777, 0o2777])
def test_a_directory_that_others_can_write(folder: Path, path: Path, mode: int) -> None:
    """It is refused, and what the hint says to type makes it good."""
    folder.chmod(mode)
    error = refusal(path)
    assert error.reason == Reason.UNSAFE_PATH
    obey(error)
    assert not mode_of(folder) & 0o022
    publish(path)


def test_a_directory_of_a_stranger(folder: Path, path: Path, root: None) -> None:
    """Its owner could swap the file: refused, unless the file is meant to be theirs."""
    os.chown(folder, STRANGER, -1)
    error = refusal(path)
    assert error.reason == Reason.UNSAFE_PATH
    assert f"owner: {STRANGER}" in error.hint
    publish(path, owner=str(STRANGER))
    assert path.stat().st_uid == STRANGER
    obey(error)
    publish(path)


def test_in_a_directory_like_tmp_the_file_must_be_ours(
    folder: Path, path: Path, root: None
) -> None:
    """Whoever makes the file first would get the document, as its owner stays."""
    folder.chmod(0o1777)
    publish(path)
    os.chown(path, STRANGER, -1)
    error = refusal(path)
    assert error.reason == Reason.UNSAFE_PATH
    publish(path, owner=str(STRANGER))
    obey(error)
    publish(path)


def test_a_link_within_the_directory_is_followed(folder: Path, path: Path) -> None:
    """The file behind it is replaced; the link stays a link."""
    link = folder / "link.json"
    link.symlink_to("config.json")
    publish(link)
    assert link.is_symlink()
    assert not path.is_symlink()
    assert path.read_text() == f"{NEW}\n"


def test_a_linked_directory_is_followed(folder: Path, path: Path) -> None:
    """Only the last component matters: `/opt/.docker` itself may be a link."""
    link = folder.parent / "link"
    link.symlink_to(folder)
    publish(link / "config.json")
    assert path.read_text() == f"{NEW}\n"


def test_a_link_out_of_the_directory_is_refused(folder: Path, path: Path) -> None:
    """The hint names the file itself; nothing is written behind the link."""
    elsewhere = folder.parent / "elsewhere.json"
    path.replace(elsewhere)
    path.symlink_to(elsewhere)
    error = refusal(path)
    assert error.reason == Reason.UNSAFE_PATH
    assert str(elsewhere) in error.hint


def test_a_link_to_a_device_is_refused(path: Path) -> None:
    """Nobody is told to publish into it; the hint's command helps."""
    path.unlink()
    path.symlink_to("/dev/zero")
    error = refusal(path)
    assert (error.reason, "set `path`" in error.hint) == (Reason.UNSAFE_PATH, False)
    obey(error)
    publish(path)


def test_a_link_that_comes_at_the_worst_time(folder: Path, path: Path) -> None:
    """Put there between the look at the path and the read, it is still not followed."""
    elsewhere = folder.parent / "elsewhere.json"

    def swap() -> None:
        path.replace(elsewhere)
        path.symlink_to(elsewhere)

    with before(swap, frozenset({"open"}), opening(path)), pytest.raises(DriverError) as caught:
        target(path).read()
    assert caught.value.reason == Reason.UNSAFE_PATH


def test_a_link_to_itself_is_refused(folder: Path) -> None:
    """A loop leads nowhere."""
    path = folder / "config.json"
    path.symlink_to(path)
    error = refusal(path)
    assert error.reason == Reason.UNSAFE_PATH
    obey(error)
    publish(path)


@pytest.mark.parametrize("how", ["replace", "in_place"])
def test_a_pipe_or_socket_in_its_place(folder: Path, how: str) -> None:
    """It is neither waited for nor written into."""
    path = folder / "config.json"
    os.mkfifo(path)
    assert "pipe" in refusal(path, write=how).detail
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        error = refusal(path, write=how)
    assert error.reason == Reason.UNSAFE_PATH
    assert "socket" in error.hint


def test_a_device_is_no_file(root: None, folder: Path) -> None:
    """A node such as /dev/null is refused, and nobody is told to move it."""
    path = folder / "config.json"
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    error = refusal(path)
    assert "device" in error.detail
    assert error.hint == "write another `path` for this target"


@pytest.mark.parametrize(
    ("call", "number", "reason", "temporary"),
    [
        ("fsync", errno.ENOSPC, Reason.NO_SPACE, True),
        ("write", errno.EDQUOT, Reason.NO_SPACE, True),
        ("fsync", errno.EIO, Reason.UNAVAILABLE, True),
        ("fchown", errno.ESTALE, Reason.UNAVAILABLE, True),
        ("rename", errno.EACCES, Reason.FORBIDDEN, False),
        ("rename", errno.EPERM, Reason.FORBIDDEN, False),
        ("fchmod", errno.EROFS, Reason.READ_ONLY, False),
        ("rename", errno.EBUSY, Reason.MOUNT_POINT, False),
        ("fstat", errno.EIO, Reason.UNAVAILABLE, True),
    ],
)
def test_each_errors_meaning(
    path: Path, call: str, number: int, reason: Reason, *, temporary: bool
) -> None:
    """Each has its reason, says whether waiting helps, and what to do."""
    with failing(call, number):
        error = refusal(path)
    assert (error.reason, isinstance(error, TemporaryError)) == (reason, temporary)
    assert str(path) in error.detail
    assert "{" not in error.hint


def test_an_unknown_error_is_no_bug(path: Path) -> None:
    """The system refused something: what it says is shown, and it is tried again."""
    with failing("rename", errno.EDOM):
        error = refusal(path)
    assert (error.reason, isinstance(error, TemporaryError)) == (Reason.UNAVAILABLE, True)
    assert "out of domain" in error.detail


def test_a_name_that_is_too_long(folder: Path) -> None:
    """The temporary file's name is longer than the file's."""
    error = refusal(folder / ("x" * 250))
    assert error.reason == Reason.INVALID


@pytest.mark.parametrize(
    ("below", "reason"),
    [("missing/config.json", Reason.NOT_FOUND), ("file/config.json", Reason.INVALID)],
)
def test_a_directory_that_is_none(folder: Path, below: str, reason: Reason) -> None:
    """The hint for one that is missing makes it."""
    (folder / "file").touch()
    error = refusal(folder / below)
    assert error.reason == reason
    if reason == Reason.NOT_FOUND:
        obey(error)
        publish(folder / below)
