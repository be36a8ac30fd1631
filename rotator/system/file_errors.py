"""What the system's errors about a file mean: reason, whether waiting helps, what to do."""

from __future__ import annotations

import errno
import os
import pwd
import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rotator.core.error_rules import ErrorRule, Evidence, classify, on
from rotator.core.errors import GoneError, Reason, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rotator.core.errors import DriverError

OPEN, READ, WRITE = "open the directory of", "read", "write"
"""What was being done: the evidence's code."""

_ROOM = 64 * 1024  # bytes that have to be free for a new file beside the old one
_LOOK = "look at it, then move it away: mv {path} {path}.old"


RULES = (
    ErrorRule(on(code=OPEN, errno=errno.ENOENT), Reason.NOT_FOUND,
        "make the directory: mkdir -p -m 755 {directory}", kind=GoneError),
    ErrorRule(on(code={OPEN, WRITE}, errno=errno.ENOTDIR), Reason.INVALID,
        "something in this path is no directory: namei -l {directory}", kind=GoneError),
    ErrorRule(on(code=OPEN, errno=errno.EACCES), Reason.FORBIDDEN,
        "let {user} into the directory: namei -l {directory}"),
    ErrorRule(on(code=READ, errno={errno.EACCES, errno.EPERM}), Reason.UNREADABLE,
        "make it readable for {user}: ls -l {path}"),
    ErrorRule(on(code=WRITE, errno={errno.EACCES, errno.EPERM}), Reason.FORBIDDEN,
        "let {user} write in the directory and own the file, or run rotator as root: ls -ld "
        "{directory} {path}; lsattr -d {directory} {path}"),
    ErrorRule(on(errno={errno.ENOSPC, errno.EDQUOT, errno.EFBIG}), Reason.NO_SPACE,
        "free some space or raise the quota: df -h {directory}; df -i {directory}; quota -v; "
        "ulimit -f",
        kind=TemporaryError),
    ErrorRule(on(errno=errno.EROFS), Reason.READ_ONLY,
        "mount it writable for rotator (a systemd unit needs ReadWritePaths={directory}): findmnt "
        "-T {directory}"),
    ErrorRule(on(code=WRITE, errno=errno.EBUSY), Reason.MOUNT_POINT,
        "the file is a mount of its own, which can't be replaced: mount the directory {directory} "
        "instead; where you can't, set `write: in_place`, which is not atomic"),
    ErrorRule(on(errno=errno.ENAMETOOLONG), Reason.INVALID,
        "choose a shorter path, with no name in it above 255 bytes: {path}"),
    ErrorRule(on(code=WRITE, errno=errno.EISDIR), Reason.INVALID,
        "a directory is where a file has to be written; move it away: ls -ld {path} "
        "{path}.broken"),
    ErrorRule(on(code={READ, WRITE}, errno=errno.ENOTEMPTY), Reason.INVALID,
        f"a directory with files in it is in the file's place: {_LOOK}", kind=GoneError),
    ErrorRule(on(errno=errno.ENOENT), Reason.CONFLICT,
        "somebody removed it at the same time: nothing to do, unless this stays",
        kind=TemporaryError),
    ErrorRule(on(errno={errno.EIO, errno.ESTALE}), Reason.UNAVAILABLE,
        "the disk or the server of this mount is in trouble: dmesg | tail; findmnt -T {directory}",
        kind=TemporaryError),
    ErrorRule(on(errno=errno.ELOOP), Reason.UNSAFE_PATH, "remove the symbolic link: rm {path}",
        kind=GoneError),
    ErrorRule(on(errno=errno.ENXIO), Reason.UNSAFE_PATH,
        f"a socket is in the file's place: {_LOOK}", kind=GoneError),
    ErrorRule(on(raised=OSError), Reason.UNAVAILABLE,
        "see what is there, and what the system says of it: namei -l {path}; dmesg | tail",
        kind=TemporaryError),
)  # fmt: skip
"""The first rule that matches decides."""


@contextmanager
def explaining(path: Path, doing: str) -> Iterator[None]:
    """Raise what a system's error means while `doing` that: `OPEN`, `READ` or `WRITE`."""
    try:
        yield
    except OSError as error:
        raise explained(path, doing, error) from error


def explained(path: Path, doing: str, error: OSError) -> DriverError:
    """Return what a system's error means that came while `doing` that."""
    what = f"cannot {doing} {path}: {error.strerror}"
    names = {"path": quoted(path), "directory": quoted(path.parent), "user": user_name()}
    return classify(RULES, Evidence(code=doing, error=error), what, names)


def obstacle(directory: Path) -> int:
    """Return the number of the error that a write there would meet; 0: none that shows now."""
    system = os.statvfs(directory)
    room = system.f_bavail * system.f_frsize >= _ROOM or not system.f_blocks
    inodes = system.f_favail or not system.f_files
    problems = (
        (system.f_flag & os.ST_RDONLY, errno.EROFS),
        (not os.access(directory, os.W_OK, effective_ids=True), errno.EACCES),
        (not (room and inodes), errno.ENOSPC),
    )
    return next((number for is_there, number in problems if is_there), 0)


def quoted(path: Path) -> str:
    """Return the path as a shell takes it."""
    return shlex.quote(str(path))


def user_name(uid: int | None = None) -> str:
    """Return a user's name, or its number where it has none; ours by default."""
    uid = os.geteuid() if uid is None else uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
