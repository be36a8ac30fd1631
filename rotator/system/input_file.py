"""Opens the files that configuration, command line and state directory name: plain files alone.

A FIFO would be waited for without end, and opening a device may do something. What one of our own
descriptors leads to is taken as it is: `<(…)` of a shell, and standard input.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

NOT_A_FILE = errno.EINVAL
"""The number of the error for a FIFO, a socket or a device."""

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY
_DESCRIPTORS = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
_NULL = os.makedev(1, 3)  # /dev/null, which is an empty file
_KINDS = {stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket",
          stat.S_IFCHR: "device", stat.S_IFBLK: "device"}  # fmt: skip


def refuse_special(*names: object) -> None:
    """Raise `OSError` for a name of what is no file; directories pass, and None and True."""
    for name in names:
        if not isinstance(name, str | os.PathLike) or str(name).startswith(_DESCRIPTORS):
            continue
        status = Path(name).stat()
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        if kind and status.st_rdev != _NULL:
            raise OSError(NOT_A_FILE, f"it is a {kind}, not a file", str(name))


def open_plain(path: Path) -> BinaryIO:
    """Open a plain file to read it; raise `OSError` where it is none, or can't be opened."""
    refuse_special(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    try:
        file = os.open(path, _FLAGS | os.O_NONBLOCK)
    except BlockingIOError:  # another rotator is replacing it right now: it lets us in soon
        file = os.open(path, _FLAGS)
    os.set_blocking(file, True)
    return os.fdopen(file, "rb")


def read_plain(path: Path) -> bytes:
    """Return all of a plain file; raise `OSError` as `open_plain` does."""
    with open_plain(path) as file:
        return file.read()
