"""Writes a file so that whoever reads it sees the old text or the new one, never half of one.

The new text goes into a temporary file beside it, which then takes its name (`rename(2)`). Errors
are the system's own, `OSError`: callers know what they mean where they are.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


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
    exclusive: bool = False,
    prepare: Callable[[int], None] | None = None,
    check: Callable[[], None] | None = None,
) -> os.stat_result:
    """Put the text into the file `name` of the directory and return the new file's status.

    `uid` and `gid` of -1: as a new file there gets them. `durable`: on the disk before this
    returns, text and name. `exclusive`: raise `FileExistsError` where the name is taken. `prepare`
    gets the temporary file's descriptor when all else is in it. `check` runs as late as possible
    before the name changes hands; what it raises calls the write off.

    The old file stays as it was unless this returns, save for an error of the last step, which
    makes the new name durable. What a killed run left behind is removed first.
    """
    _sweep(opened, name)
    file, temporary = _create(opened, name)
    try:
        _write_all(file, text.encode())
        if prepare:
            prepare(file)
        # The owner first: until the mode is set, nobody but the owner can read it.
        if (uid, gid) != (-1, -1):
            os.fchown(file, uid, gid)
        os.fchmod(file, mode)
        if durable:
            os.fsync(file)
        if check:
            check()
        publish = os.link if exclusive else os.rename
        publish(temporary, name, src_dir_fd=opened, dst_dir_fd=opened)
        if durable:
            sync_directory(opened)
        return os.fstat(file)
    finally:
        with suppress(OSError):  # after a rename there is nothing left to remove
            os.unlink(temporary, dir_fd=opened)
        os.close(file)


def sync_directory(opened: int) -> None:
    """Make the names in a directory durable, where its file system can do that at all."""
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def _create(opened: int, name: str) -> tuple[int, str]:
    """Make an empty temporary file, readable by us alone, and lock it: `_sweep` lets it be."""
    while True:
        temporary = f"{_prefix(name)}{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(temporary, flags, 0o600, dir_fd=opened)
        with suppress(OSError):  # a file system without locks: nobody can sweep there either
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return file, temporary
        os.close(file)  # another writer swept it away in the moment before it was locked


def _sweep(opened: int, name: str) -> None:
    """Remove temporary files whose writer is gone: the lock ends with its process."""
    for found in os.listdir(opened):
        if found.startswith(_prefix(name)):
            with suppress(OSError):  # locked, not ours to remove, or gone by now
                _remove_unlocked(opened, found)


def _remove_unlocked(opened: int, found: str) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    leftover = os.open(found, flags, dir_fd=opened)
    try:
        fcntl.flock(leftover, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(found, dir_fd=opened)
    finally:
        os.close(leftover)


def _prefix(name: str) -> str:
    return f".{name}.rotator-"


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
