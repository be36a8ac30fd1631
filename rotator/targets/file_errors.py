"""What the system's errors mean to the `file` target: reason, whether waiting helps, what to do."""

from __future__ import annotations

import errno
import os
import pwd
import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core.errors import GoneError, PermanentError, Reason, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPEN, READ, WRITE = "open the directory of", "read", "write"
"""What was being done."""

_LOOK = "look at it, then move it away: mv {path} {path}.old"


class ErrorRule(Struct, frozen=True):
    """What error numbers mean while one of the things in `doing` is done (empty: any of them)."""

    matches: tuple[int, ...]
    error: type[TemporaryError | PermanentError]
    reason: Reason
    hint: str
    doing: tuple[str, ...] = ()


_RULES = (
    ErrorRule(
        (errno.ENOENT,),
        GoneError,
        Reason.NOT_FOUND,
        "make the directory: mkdir -p -m 755 {directory}",
        (OPEN,),
    ),
    ErrorRule(
        (errno.ENOTDIR,),
        GoneError,
        Reason.INVALID,
        "something in this path is no directory: namei -l {directory}",
        (OPEN,),
    ),
    ErrorRule(
        (errno.EACCES,),
        PermanentError,
        Reason.FORBIDDEN,
        "let {user} into the directory: namei -l {directory}",
        (OPEN,),
    ),
    ErrorRule(
        (errno.EACCES, errno.EPERM),
        PermanentError,
        Reason.UNREADABLE,
        "make it readable for {user}: ls -l {path}",
        (READ,),
    ),
    ErrorRule(
        (errno.EACCES, errno.EPERM),
        PermanentError,
        Reason.FORBIDDEN,
        "let {user} write in the directory and own the file, or run rotator as root: "
        "ls -ld {directory} {path}; lsattr -d {directory} {path}",
        (WRITE,),
    ),
    ErrorRule(
        (errno.ENOSPC, errno.EDQUOT),
        TemporaryError,
        Reason.NO_SPACE,
        "free some space or raise the quota: df -h {directory}; df -i {directory}; quota -v",
        (WRITE,),
    ),
    ErrorRule(
        (errno.EROFS,),
        PermanentError,
        Reason.READ_ONLY,
        "mount it writable for rotator (a systemd unit needs ReadWritePaths={directory}): "
        "findmnt -T {directory}",
        (WRITE,),
    ),
    ErrorRule(
        (errno.EBUSY,),
        PermanentError,
        Reason.MOUNT_POINT,
        "the file is a mount of its own, which can't be replaced: mount the directory "
        "{directory} instead; where you can't, set `write: in_place`, which is not atomic",
        (WRITE,),
    ),
    ErrorRule(
        (errno.ENAMETOOLONG,),
        PermanentError,
        Reason.INVALID,
        "choose a shorter file name",
        (WRITE,),
    ),
    ErrorRule(
        (errno.ENOTEMPTY,),
        GoneError,
        Reason.INVALID,
        f"a directory with files in it is in the file's place: {_LOOK}",
        (READ, WRITE),
    ),
    ErrorRule(
        (errno.ENOENT,),
        TemporaryError,
        Reason.CONFLICT,
        "somebody removed it at the same time: nothing to do, unless this stays",
    ),
    ErrorRule(
        (errno.EIO, errno.ESTALE),
        TemporaryError,
        Reason.UNAVAILABLE,
        "the disk or the server of this mount is in trouble: dmesg | tail; findmnt -T {directory}",
    ),
    ErrorRule(
        (errno.ELOOP,),
        GoneError,
        Reason.UNSAFE_PATH,
        "remove the symbolic link: rm {path}",
    ),
    ErrorRule(
        (errno.ENXIO,),
        GoneError,
        Reason.UNSAFE_PATH,
        f"a socket is in the file's place: {_LOOK}",
    ),
)
"""The first rule that matches holds."""


@contextmanager
def explaining(path: Path, doing: str) -> Iterator[None]:
    """Raise what a system's error means while `doing` (`OPEN`, `READ`, `WRITE`) that to the path.

    An error without a rule goes through as it is.
    """
    try:
        yield
    except OSError as error:
        if (rule := classify(error, doing)) is None:
            raise
        detail = f"cannot {doing} {path}: {error.strerror}"
        names = {"path": quoted(path), "directory": quoted(path.parent), "user": user_name()}
        raise rule.error(rule.reason, detail, rule.hint.format_map(names)) from error


def classify(error: OSError, doing: str) -> ErrorRule | None:
    """Return the rule for an error; None where there is none."""
    for rule in _RULES:
        if error.errno in rule.matches and (not rule.doing or doing in rule.doing):
            return rule
    return None


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
