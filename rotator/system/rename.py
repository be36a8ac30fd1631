"""Gives a file another name by `renameat2(2)`, for what `os.rename` can't say.

`EXCHANGE`: two files change names at one instant. `NOREPLACE`: the name must be free. A file system
that has no such thing answers with one of `UNSUPPORTED`.
"""

from __future__ import annotations

import errno
import os

NOREPLACE = 1
EXCHANGE = 2
UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})


def renameat2(directory: int, old: str, new: str, flags: int) -> None:
    """Rename within an open directory; raise `OSError`."""
    import ctypes  # noqa: PLC0415  seldom needed, and slow to load

    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:  # a C library before 2018
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if function(directory, os.fsencode(old), directory, os.fsencode(new), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), old, None, new)
