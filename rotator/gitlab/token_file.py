"""Replaces the file that holds rotator's own access token, so that no new token is ever lost.

The old token dies when GitLab answers, so the new one has to be on the disk before anything else
can go wrong. Beside the file `.FILE.new` is made and tried first; it says that a rotation began.
GitLab's answer goes into it, then it takes the file's name. What a dead process left there tells
how far it came.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rotator.system.atomic_file import directory, sync_directory
from rotator.system.mounts import PROC, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEGUN = b"# a rotation of this access token has begun"
_LONGEST = 1000
_SHARED = {"nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "9p", "lustre", "fuse.sshfs"}


class CannotReplaceError(Exception):
    """The file can't be replaced, or should not be; the message says why."""


class BusyError(Exception):
    """Another process rotates this token now."""


@dataclass(slots=True)
class TokenFile:
    """A place that is open and tried for a new token; `name`: of the file beside the token's."""

    path: Path
    name: str
    opened: int
    new: int

    def left(self) -> str:
        """Return the token that an earlier process received and could not put in its place."""
        # Only the line: where a machine died while it was written, the note's end follows.
        text = os.pread(self.new, _LONGEST, 0).partition(b"\n")[0].strip()
        return "" if text.startswith(b"#") else text.decode("ascii", "replace")

    def has_begun(self) -> bool:
        """Tell whether an earlier process began a rotation and did not see its end."""
        return os.pread(self.new, _LONGEST, 0).startswith(BEGUN)

    def begin(self) -> None:
        """Note on the disk that a rotation begins, with room for the token."""
        self._store(BEGUN + b" " * (_LONGEST - len(BEGUN)))

    def take(self, token: str) -> None:
        """Put the new token on the disk, and then in its place."""
        self._store(token.encode() + b"\n")
        os.rename(self.name, self.path.name, src_dir_fd=self.opened, dst_dir_fd=self.opened)
        sync_directory(self.opened)

    def forget(self) -> None:
        """Remove the file beside the token's: no rotation is under way."""
        with suppress(FileNotFoundError):
            os.unlink(self.name, dir_fd=self.opened)
        sync_directory(self.opened)

    def _store(self, data: bytes) -> None:
        os.pwrite(self.new, data, 0)
        os.ftruncate(self.new, len(data))
        os.fsync(self.new)
        sync_directory(self.opened)


@contextmanager
def replacing(path: Path) -> Iterator[TokenFile]:
    """Open and try the place of a new token; raise `CannotReplaceError` or `BusyError`."""
    check(path)
    name = f".{path.name}.new"
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with directory(path.parent) as opened:
            place = TokenFile(path, name, opened, os.open(name, flags, 0o600, dir_fd=opened))
            try:
                _lock(place)
                yield place
            finally:
                os.close(place.new)
    except OSError as error:
        raise CannotReplaceError(f"{path} can't be replaced: {error.strerror}") from error


def check(path: Path, proc: Path = PROC) -> None:
    """Raise `CannotReplaceError` for a file that rename can't or should not replace."""
    try:
        status = path.lstat()
    except OSError as error:
        raise CannotReplaceError(f"{path} can't be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise CannotReplaceError(f"{path} is a link or no file (a mounted Secret has links)")
    if os.environ.get("CREDENTIALS_DIRECTORY", "\0") in map(str, path.parents):
        raise CannotReplaceError(f"{path} is systemd's copy of the token, which nobody can replace")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CannotReplaceError(f"rotator may not write in {path.parent}")
    mounts: dict[str, str] = {}
    with suppress(OSError):  # as far as the system tells
        mounts = {mount.point: mount.system for mount in table(proc=proc)}
    if str(path) in mounts:
        raise CannotReplaceError(f"{path} is itself a mount point, so rename can't replace it")
    below = next((mounts[str(each)] for each in path.parents if str(each) in mounts), "")
    if below in _SHARED:
        raise CannotReplaceError(f"{path} is on a {below} file system, which hosts may share")


def _lock(place: TokenFile) -> None:
    """Lock out other processes, and give the new file the old one's owner and mode."""
    new = os.fstat(place.new)
    try:
        fcntl.flock(place.new, fcntl.LOCK_EX | fcntl.LOCK_NB)
        named = os.stat(place.name, dir_fd=place.opened, follow_symlinks=False)
    except (BlockingIOError, FileNotFoundError) as error:
        raise BusyError from error
    if not os.path.samestat(new, named):
        raise BusyError  # the lock's holder has just put it in the token's place
    old = place.path.stat()
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        os.fchown(place.new, old.st_uid, old.st_gid)
    os.fchmod(place.new, stat.S_IMODE(old.st_mode))
