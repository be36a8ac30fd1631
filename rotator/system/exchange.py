"""Replaces a file only if it is still the one that was read, though the kernel can't compare.

The draft and the file change names at one instant (`RENAME_EXCHANGE`), then we look at what came
out. If somebody else wrote in between, the names are changed back, so that nothing is lost. Until
that is known, readers of the new file wait (`alone`): nobody builds on a document that is
taken back.

While two files change names, the draft's name tells what a rotator that is killed would have done
next: it holds the versions of the draft and of the file that was read. `finish` does it.

Leases on files (`F_SETLEASE`) need a file that is ours, or CAP_LEASE; network file systems have
none. Where none can be had, we do without.
https://man7.org/linux/man-pages/man2/F_SETLEASE.2const.html
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rotator.system import atomic_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rotator.system.atomic_file import Draft

Version = tuple[int, int, int]

_UNDER_WAY = re.compile(r"exchange(-[0-9a-f]+){6}")
_MOST_WRITERS = 100

# How a file system answers that can't exchange names.
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})

_F_SETSIG = 10
_PAUSE = 0.002


def version(status: os.stat_result) -> Version:
    """Return inode, mtime (ns) and size: what changes when a file does."""
    return status.st_ino, status.st_mtime_ns, status.st_size


def exchange(draft: Draft, name: str, read: Version, is_the_one: Callable[[str], bool]) -> bool:
    """Put the draft in the place of a file; tell whether that was still the one that was read.

    `read` is its version, and `is_the_one` looks whether a name in the directory is that file. If
    false is returned, everything is as if we had written nothing.
    """
    opened = draft.directory
    if not is_the_one(name):
        return False
    draft.rename(_under_way(name, version(os.fstat(draft.file)), read))
    with alone(draft.file) as others_wait:
        try:
            atomic_file.renameat2(opened, draft.name, name, atomic_file.EXCHANGE)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            # The file system can't exchange: the gap is as short as it can be.
            if is_old := is_the_one(name):
                draft.replace(name)
            return is_old
        # From here on the draft's name may hold the only copy of what somebody wrote.
        draft.temporary = False
        try:
            if is_the_one(draft.name):
                os.unlink(draft.name, dir_fd=opened)
                return True
            _put_back(draft, name, others_wait=others_wait)
        except BaseException:
            with suppress(OSError):
                finish(opened, name, draft.name)
            raise
    return False


def is_under_way(name: str, found: str) -> bool:
    """Tell whether a draft of the file `name` is one that `finish` knows about."""
    return bool(_UNDER_WAY.fullmatch(found.removeprefix(atomic_file.prefix(name))))


def finish(opened: int, name: str, found: str) -> None:
    """Finish what a rotator had begun that was killed; needs the lock of the directory."""
    numbers = tuple(int(text, 16) for text in found.rsplit("-", 6)[1:])
    ours, read = numbers[:3], numbers[3:]
    is_a_strangers = version(_status(opened, found)) not in (ours, read)
    with suppress(FileNotFoundError):
        if is_a_strangers and version(_status(opened, name)) == ours:
            atomic_file.renameat2(opened, found, name, atomic_file.EXCHANGE)
    os.unlink(found, dir_fd=opened)


def _put_back(draft: Draft, name: str, *, others_wait: bool) -> None:
    """Give the name back to what came out, or to what others have put there since."""
    opened = draft.directory
    placed = ours = os.fstat(draft.file).st_ino
    for _ in range(_MOST_WRITERS):
        newest = _status(opened, draft.name).st_ino
        try:
            atomic_file.renameat2(opened, draft.name, name, atomic_file.EXCHANGE)
        except FileNotFoundError:
            break  # somebody removed the file since
        replaced = _status(opened, draft.name).st_ino
        if replaced == placed:
            break
        placed = newest  # the document that came out is newer still, and goes back next
    if others_wait and _status(opened, draft.name).st_ino == ours:
        _show_instead(draft, name)
    os.unlink(draft.name, dir_fd=opened)


def _show_instead(draft: Draft, name: str) -> None:
    """Let those who wait to read our draft, which they have opened, read what is there now."""
    with suppress(OSError):
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        theirs = os.open(name, flags, dir_fd=draft.directory)
        try:
            status = os.fstat(theirs)
            if stat.S_ISREG(status.st_mode):
                text = os.pread(theirs, status.st_size, 0)
                os.pwrite(draft.file, text, 0)
                os.ftruncate(draft.file, len(text))
        finally:
            os.close(theirs)


@contextmanager
def alone(file: int) -> Iterator[bool]:
    """Let everybody else who opens this file wait until the block ends; yield whether they do.

    That needs a file that nobody else has open. The kernel lets them in when this process ends, and
    after 45 s at the latest (`/proc/sys/fs/lease-break-time`).
    """
    try:
        _lease(file, fcntl.F_WRLCK)
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        _release(file)


def wait_for_writers(file: int, seconds: float) -> None:
    """Wait `seconds` at most until nobody writes the file, which is open for reading only."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            _lease(file, fcntl.F_RDLCK)
        except BlockingIOError:
            time.sleep(_PAUSE)
        except OSError:
            return
        else:
            _release(file)
            return


def _lease(file: int, kind: int) -> None:
    # The kernel announces a waiting reader by a signal; SIGURG does nothing, SIGIO would end us.
    fcntl.fcntl(file, _F_SETSIG, signal.SIGURG)
    fcntl.fcntl(file, fcntl.F_SETLEASE, kind)


def _release(file: int) -> None:
    with suppress(OSError):
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def _under_way(name: str, ours: Version, read: Version) -> str:
    numbers = "-".join(f"{number:x}" for number in (*ours, *read))
    return f"{atomic_file.prefix(name)}exchange-{numbers}"


def _status(opened: int, name: str) -> os.stat_result:
    return os.stat(name, dir_fd=opened, follow_symlinks=False)
