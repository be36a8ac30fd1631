"""Whom the `file` target trusts on the way to its file, and whose the file is."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core.errors import GoneError, PermanentError, Reason
from rotator.system.file_errors import quoted, user_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AS_IT_IS = -1  # what `chown(2)` takes for an id that it leaves alone; here for a mode, too
NEW_FILE_MODE = 0o600
MODES = 0o775  # what stays of a mode: not that everybody can write
_UNITS_USER = "rotator"
_KINDS = {
    stat.S_IFIFO: "pipe", stat.S_IFLNK: "symbolic link", stat.S_IFSOCK: "socket",
    stat.S_IFDIR: "directory",
}  # fmt: skip


class Trust(Struct, frozen=True):
    """Whom we trust on the way to a file: root, ourselves, and the owner with what is theirs."""

    owner: int = AS_IT_IS

    def covers(self, uid: int) -> bool:
        """Tell whether a user is one of them."""
        return uid in (0, os.geteuid(), self.owner)

    def is_only_the_owner(self, uid: int) -> bool:
        """Tell whether a user is the configured owner, and neither root nor ourselves."""
        return uid == self.owner and uid not in (0, os.geteuid())


def is_shared(status: os.stat_result) -> bool:
    """Tell whether others than its owner can make files in the directory."""
    return bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def is_sticky(status: os.stat_result) -> bool:
    """Tell whether others can make files there, but replace only their own, as in `/tmp`."""
    return is_shared(status) and bool(status.st_mode & stat.S_ISVTX)


def check_directory(path: Path, status: os.stat_result, trust: Trust, *, last: bool) -> None:
    """Refuse a directory where a stranger could get in our way; `last`: the file is in it."""
    what = "file in the place of this one" if last else "directory or a link in our way"
    if not trust.covers(status.st_uid):
        theirs = user_name(status.st_uid)
        # Typed as root, on a host where the units in systemd/ run rotator.
        units = "systemctl start rotator-once, which runs as that user; or "
        raise PermanentError(
            Reason.UNSAFE_PATH,
            f"the directory {path} belongs to {theirs}, who could put another {what}",
            f"{units if last and theirs == _UNITS_USER else ''}chown {user_name()} {quoted(path)}; "
            f"or set `owner: {theirs}`, if the file is theirs",
        )
    if not is_shared(status) or is_sticky(status):
        return
    if last or not _is_private_group(status, trust):
        who = "g" * bool(status.st_mode & stat.S_IWGRP) + "o" * bool(status.st_mode & stat.S_IWOTH)
        below = " and publish in a directory of your own below it" if last else ""
        raise PermanentError(
            Reason.UNSAFE_PATH,
            f"others can write in the directory {path} (mode {stat.S_IMODE(status.st_mode):04o}), "
            f"and put another {what}",
            f"chmod {who}-w {quoted(path)}; where that can't be: chmod +t {quoted(path)}{below}",
        )


def check_entry(
    path: Path, status: os.stat_result, directory: os.stat_result, trust: Trust
) -> None:
    """Refuse what a stranger has put into a directory like `/tmp`."""
    if is_sticky(directory) and not trust.covers(status.st_uid):
        theirs = user_name(status.st_uid)
        raise GoneError(
            Reason.UNSAFE_PATH,
            f"{path} belongs to {theirs}, in a directory where everybody can make files: who "
            "made it would get the document",
            f"rm -r {quoted(path)}; or set `owner: {theirs}`, if it is theirs",
        )


def check_file(path: Path, status: os.stat_result, trust: Trust, *, owners_link: bool) -> None:
    """Refuse what is no plain file, and a file that the owner could only point at."""
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        away = f"look at it, then move it away: mv {quoted(path)} {quoted(path)}.old"
        raise GoneError(
            Reason.UNSAFE_PATH,
            f"{path} is no plain file but a {kind or 'device'}",
            # Others need a device where it is.
            away if kind else "write another `path` for this target",
        )
    if trust.owner in (AS_IT_IS, status.st_uid):
        return
    if owners_link or status.st_nlink > 1:
        how = "a link leads to it" if owners_link else "it has several names (hard links)"
        theirs = user_name(status.st_uid)
        raise GoneError(
            Reason.UNSAFE_PATH,
            f"{path} belongs to {theirs}, and {how}: it is not given to {user_name(trust.owner)}",
            f"rm {quoted(path)}; or set `owner: {theirs}`, if that is right",
        )


def differences(path: Path, status: os.stat_result, mode: int, uid: int, gid: int) -> list[str]:
    """Return a note for each thing that is not as configured (`AS_IT_IS`: not configured)."""
    wanted = (
        (mode, stat.S_IMODE(status.st_mode), f"chmod {mode:04o}"),
        (uid, status.st_uid, f"chown {uid}"),
        (gid, status.st_gid, f"chgrp {gid}"),
    )
    return [
        f"{path} has another mode, owner or group than is configured: the next write corrects it, "
        f"or now: {command} {quoted(path)}"
        for value, there, command in wanted
        if value not in (AS_IT_IS, there)
    ]


def uid_of(owner: str | None) -> int:
    """Return the uid of a name or number, -1 where none is configured."""
    return _id_of(owner, lambda name: pwd.getpwnam(name).pw_uid, "user", "owner", "passwd")


def gid_of(group: str | None) -> int:
    """Return the gid of a name or number, -1 where none is configured."""
    return _id_of(group, lambda name: grp.getgrnam(name).gr_gid, "group", "group", "group")


def _id_of(name: str | None, find: Callable[[str], int], what: str, key: str, database: str) -> int:
    if name is None or name.isdecimal():
        return AS_IT_IS if name is None else int(name)
    try:
        return find(name)
    except KeyError:
        raise PermanentError(
            Reason.INVALID,
            f"there is no {what} {name} on this machine",
            f"make it, or write a number: `{key}: 1000`; getent {database} {shlex.quote(name)}",
        ) from None


def _is_private_group(status: os.stat_result, trust: Trust) -> bool:
    """Tell whether the directory's group is only the owner's own, as many systems make one."""
    if status.st_mode & stat.S_IWOTH:
        return False
    try:
        members = [pwd.getpwnam(name).pw_uid for name in grp.getgrgid(status.st_gid).gr_mem]
    except KeyError:
        return False
    members += [user.pw_uid for user in pwd.getpwall() if user.pw_gid == status.st_gid]
    return all(trust.covers(uid) for uid in members)
