"""Writes a file so that its readers find the old text or the new one, each of them whole.

The new text goes into a temporary file beside it, the draft, which then takes its name. Errors are
the system's own, `OSError`: callers know what they mean where they are.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FS_IOC_GETFLAGS = 0x80086601
_APPEND_ONLY = 0x20

EXCHANGE, _NOREPLACE = 2, 1
"""Flags of `renameat2`: two files change names at one instant; the name must be free."""


class Draft(Struct):
    """An open temporary file in a directory. `temporary`: its name there is still to be removed."""

    directory: int
    file: int
    name: str
    temporary: bool = True

    def rename(self, name: str) -> None:
        """Give it another name, whatever has that name now."""
        os.rename(self.name, name, src_dir_fd=self.directory, dst_dir_fd=self.directory)
        self.name = name

    def replace(self, name: str) -> None:
        """Publish it under a name, whatever has that name now."""
        self.rename(name)
        self.temporary = False

    def create(self, name: str) -> None:
        """Publish it under a name; raise `FileExistsError` where something has that already."""
        try:
            os.link(self.name, name, src_dir_fd=self.directory, dst_dir_fd=self.directory)
        except FileExistsError:
            raise
        except OSError:  # a file system without links, such as a memory stick's
            renameat2(self.directory, self.name, name, _NOREPLACE)
            self.temporary = False


@contextmanager
def directory(path: Path) -> Iterator[int]:
    """Open a directory for `write`, which then goes there whatever becomes of the path."""
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield opened
    finally:
        os.close(opened)


def write(
    opened: int,
    name: str,
    text: str,
    *,
    mode: int = 0o600,
    uid: int = -1,
    gid: int = -1,
    durable: bool = True,
    named: bool = True,
    exclusive: bool = False,
) -> None:
    """Put the text into the file `name` of the directory.

    `uid` and `gid` of -1: as a new file there gets them. `durable`: on the disk before this
    returns, text and name; without `named` the text alone, so that a power failure leaves the name
    with the old text or the new one. `exclusive`: raise `FileExistsError` where the name is taken.

    The old file stays as it was unless this returns, save for an error of the last step, which
    makes the new name durable. Drafts of a killed run are removed first.
    """
    for found in drafts(opened, name):
        remove_abandoned(opened, found)
    with draft(opened, name) as made:
        write_all(made.file, text.encode())
        # The owner first: until the mode is set, nobody but the owner can read it.
        if (uid, gid) != (-1, -1):
            os.fchown(made.file, uid, gid)
        os.fchmod(made.file, mode)
        if durable:
            os.fsync(made.file)
        if exclusive:
            made.create(name)
        else:
            made.replace(name)
        if durable and named:
            sync_directory(opened)


@contextmanager
def draft(opened: int, name: str) -> Iterator[Draft]:
    """Make an empty draft of the file `name`, readable by us alone; remove it after the block."""
    _check_removal(opened)
    made = _create(opened, name)
    try:
        yield made
    finally:
        if made.temporary:
            _remove(made)
        os.close(made.file)


def drafts(opened: int, name: str) -> list[str]:
    """Return the names of all drafts of the file `name`, others' too."""
    return [found for found in os.listdir(opened) if found.startswith(prefix(name))]


def remove_abandoned(opened: int, found: str) -> None:
    """Remove a draft whose writer is gone: the lock ends with its process."""
    with suppress(OSError):  # locked, not ours to remove, or gone by now
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        leftover = os.open(found, flags, dir_fd=opened)
        try:
            fcntl.flock(leftover, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(found, dir_fd=opened)
        finally:
            os.close(leftover)


def prefix(name: str) -> str:
    """Return how the names of all drafts of a file begin."""
    return f".{name}.rotator-"


def draft_name(name: str) -> str:
    """Return a new name for a draft of a file."""
    return f"{prefix(name)}{secrets.token_hex(8)}"


def renameat2(directory: int, old: str, new: str, flags: int) -> None:
    """Rename within an open directory, with flags that `os.rename` lacks; raise `OSError`."""
    import ctypes  # noqa: PLC0415  seldom needed, and slow to load

    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:  # pragma: no cover  a C library without it, such as an older musl
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if function(directory, os.fsencode(old), directory, os.fsencode(new), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), old, None, new)


def sync_directory(opened: int) -> None:
    """Make the names in a directory durable, where its file system can do that at all."""
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def write_all(file: int, data: bytes) -> None:
    """Write all of the data at the descriptor's position."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _remove(made: Draft) -> None:
    try:
        os.unlink(made.name, dir_fd=made.directory)
    except FileNotFoundError:
        pass
    except OSError:
        with suppress(OSError):  # it stays, but without a secret in it
            os.ftruncate(made.file, 0)


def _create(opened: int, name: str) -> Draft:
    """Make an empty draft and lock it, so that nobody removes it."""
    while True:
        temporary = draft_name(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(temporary, flags, 0o600, dir_fd=opened)
        with suppress(OSError):  # a file system without locks: nobody can remove it there either
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return Draft(opened, file, temporary)
        os.close(file)  # another writer removed it just before it was locked


def _check_removal(opened: int) -> None:
    """Raise `OSError` in a directory (`chattr +a`) where a file can be made but not removed."""
    flags = bytearray(8)
    try:
        fcntl.ioctl(opened, _FS_IOC_GETFLAGS, flags)
    except OSError:
        return  # a file system without flags
    if int.from_bytes(flags[:4], "little") & _APPEND_ONLY:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))
