"""Where the `file` target may write, whose the file is, and what the system's errors mean there."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shlex
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rotator.core.errors import GoneError, PermanentError, Reason, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

AS_IT_IS = -1
"""What `chown(2)` takes for a uid or gid that it leaves alone; here for a mode, too."""

NEW_FILE_MODE = 0o600

MODES = 0o775
"""What is kept of a mode: a file that everybody can write is no place for a credential."""

_Meaning = tuple[type[TemporaryError] | type[PermanentError], Reason, str]

_BROKEN: _Meaning = (
    TemporaryError,
    Reason.UNAVAILABLE,
    "the disk or the server of this mount is in trouble: dmesg | tail; findmnt -T {directory}",
)
_FULL: _Meaning = (
    TemporaryError,
    Reason.NO_SPACE,
    "free some space or raise the quota: df -h {directory}; df -i {directory}; quota -v",
)
_NOT_ALLOWED: _Meaning = (
    PermanentError,
    Reason.FORBIDDEN,
    (
        "let {user} write in the directory and own the file, or run rotator as root: "
        "ls -ld {directory} {path}; lsattr -d {directory} {path}"
    ),
)
_UNREADABLE: _Meaning = (
    PermanentError,
    Reason.UNREADABLE,
    "make it readable for {user}: ls -l {path}",
)
_UNITS_USER = "rotator"
_LINK: _Meaning = (GoneError, Reason.UNSAFE_PATH, "remove the symbolic link: rm {path}")

_FULL_DIRECTORY: _Meaning = (
    GoneError,
    Reason.INVALID,
    (
        "a directory with files in it is in the file's place: look at it, then move it away: "
        "mv {path} {path}.old"
    ),
)

_GONE: _Meaning = (
    TemporaryError,
    Reason.CONFLICT,
    "somebody removed it at the same moment: nothing to do, unless this stays",
)

_SOCKET: _Meaning = (
    GoneError,
    Reason.UNSAFE_PATH,
    "a socket is in the file's place: look at it, then move it away: mv {path} {path}.old",
)

_ALWAYS = {
    errno.EIO: _BROKEN,
    errno.ELOOP: _LINK,
    errno.ENOENT: _GONE,
    errno.ENXIO: _SOCKET,
    errno.ESTALE: _BROKEN,
}
_MEANINGS: dict[str, dict[int, _Meaning]] = {
    "open the directory of": {
        **_ALWAYS,
        errno.ENOENT: (
            GoneError,
            Reason.NOT_FOUND,
            "make the directory: mkdir -p -m 755 {directory}",
        ),
        errno.ENOTDIR: (
            GoneError,
            Reason.INVALID,
            "something in this path is no directory: namei -l {directory}",
        ),
        errno.EACCES: (
            PermanentError,
            Reason.FORBIDDEN,
            "let {user} into the directory: namei -l {directory}",
        ),
    },
    "read": {
        **_ALWAYS,
        errno.EACCES: _UNREADABLE,
        errno.EPERM: _UNREADABLE,
        errno.ENOTEMPTY: _FULL_DIRECTORY,
    },
    "write": {
        **_ALWAYS,
        errno.ENOSPC: _FULL,
        errno.EDQUOT: _FULL,
        errno.EACCES: _NOT_ALLOWED,
        errno.EPERM: _NOT_ALLOWED,
        errno.EROFS: (
            PermanentError,
            Reason.READ_ONLY,
            (
                "mount it writable for rotator (a systemd unit needs ReadWritePaths={directory}): "
                "findmnt -T {directory}"
            ),
        ),
        errno.EBUSY: (
            PermanentError,
            Reason.MOUNT_POINT,
            (
                "the file is a mount of its own, which can't be replaced: mount the directory "
                "{directory} instead; where you can't, set `write: in_place`, which is not atomic"
            ),
        ),
        errno.ENOTEMPTY: _FULL_DIRECTORY,
        errno.ENAMETOOLONG: (PermanentError, Reason.INVALID, "choose a shorter file name"),
    },
}


@contextmanager
def told(path: Path, doing: str) -> Iterator[None]:
    """Raise what a system's error means while `doing` (a key of `_MEANINGS`) that to the path.

    An error that is not in the table goes through as it is.
    """
    try:
        yield
    except OSError as error:
        if (meaning := _MEANINGS[doing].get(error.errno or 0)) is None:
            raise
        kind, reason, hint = meaning
        detail = f"cannot {doing} {path}: {error.strerror}"
        names = {"path": quoted(path), "directory": quoted(path.parent), "user": _user()}
        raise kind(reason, detail, hint.format_map(names)) from error


def followed(path: Path) -> Path:
    """Return the path of the file itself; refuse a link that leads out of its directory."""
    real, directory = Path(os.path.realpath(path)), Path(os.path.realpath(path.parent))
    if real.parent != directory:
        raise GoneError(
            Reason.UNSAFE_PATH,
            f"{path} is a symbolic link to {real}, which is in another directory",
            f"set `path` to the file itself: {real}; or remove the link: rm {quoted(path)}",
        )
    return real


def shared(status: os.stat_result) -> bool:
    """Tell whether others than its owner can make files in the directory."""
    return bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def check_directory(path: Path, status: os.stat_result, trusted: Collection[int]) -> None:
    """Refuse a directory in which somebody untrusted could put another file in our file's place."""
    if status.st_uid not in trusted:
        theirs = _user(status.st_uid)
        # Typed by hand as root, on a host where the units in systemd/ run rotator.
        units = "systemctl start rotator-once, which runs as that user; or "
        raise PermanentError(
            Reason.UNSAFE_PATH,
            f"the directory {path} belongs to {theirs}, who could put another file "
            "in the place of this one",
            f"{units if theirs == _UNITS_USER else ''}chown {_user()} {quoted(path)}; "
            f"or set `owner: {theirs}`, if the file is theirs",
        )
    if shared(status) and not status.st_mode & stat.S_ISVTX:
        who = "g" * bool(status.st_mode & stat.S_IWGRP) + "o" * bool(status.st_mode & stat.S_IWOTH)
        raise PermanentError(
            Reason.UNSAFE_PATH,
            f"others can write in the directory {path} (mode {_octal(status)}), and put another "
            "file in the place of this one",
            f"chmod {who}-w {quoted(path)}; where that can't be, publish in a directory below it",
        )


def check_file(
    path: Path, status: os.stat_result, directory: os.stat_result, trusted: Collection[int]
) -> None:
    """Refuse what is no plain file, and in a directory like `/tmp` the file of a stranger."""
    if not stat.S_ISREG(status.st_mode):
        raise GoneError(
            Reason.UNSAFE_PATH,
            f"{path} is no plain file but a {_kind(status.st_mode)}",
            f"look at it, then move it away: mv {quoted(path)} {quoted(path)}.old",
        )
    if shared(directory) and status.st_uid not in trusted:
        raise GoneError(
            Reason.UNSAFE_PATH,
            f"{path} belongs to {_user(status.st_uid)}, in a directory where everybody can make "
            "files: whoever made it would get the document",
            f"rm {quoted(path)}; or set `owner: {_user(status.st_uid)}`, if the file is theirs",
        )


def differences(path: Path, status: os.stat_result, mode: int, uid: int, gid: int) -> list[str]:
    """Return a note for each thing that is not as configured (`AS_IT_IS`: not configured)."""
    commands = []
    if mode not in (AS_IT_IS, stat.S_IMODE(status.st_mode)):
        commands.append(f"chmod {mode:04o} {quoted(path)}")
    if uid not in (AS_IT_IS, status.st_uid):
        commands.append(f"chown {uid} {quoted(path)}")
    if gid not in (AS_IT_IS, status.st_gid):
        commands.append(f"chgrp {gid} {quoted(path)}")
    return [
        f"{path} has another mode, owner or group than is configured: the next write mends it, "
        f"or now: {command}"
        for command in commands
    ]


def uid_of(owner: str | None) -> int:
    """Return the uid of a name or number, -1 where none is configured."""
    if owner is None or owner.isdecimal():
        return AS_IT_IS if owner is None else int(owner)
    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise _unknown("user", "owner", "passwd", owner) from None


def gid_of(group: str | None) -> int:
    """Return the gid of a name or number, -1 where none is configured."""
    if group is None or group.isdecimal():
        return AS_IT_IS if group is None else int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise _unknown("group", "group", "group", group) from None


def quoted(path: Path) -> str:
    """Return the path as a shell takes it."""
    return shlex.quote(str(path))


def _unknown(what: str, key: str, database: str, name: str) -> PermanentError:
    return PermanentError(
        Reason.INVALID,
        f"there is no {what} {name} on this machine",
        f"make it, or write a number: `{key}: 1000`; getent {database} {shlex.quote(name)}",
    )


def _user(uid: int | None = None) -> str:
    uid = os.geteuid() if uid is None else uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _octal(status: os.stat_result) -> str:
    return f"{stat.S_IMODE(status.st_mode):04o}"


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "pipe", stat.S_IFLNK: "symbolic link"}
    return kinds.get(stat.S_IFMT(mode), "device")
