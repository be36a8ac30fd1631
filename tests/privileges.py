"""Takes from root, for a while, the right to read and write whatever the modes of files say."""

from __future__ import annotations

import ctypes
import os

VERSION_3 = 0x20080522
DAC = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, see capabilities(7)."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def obey_modes(*, on: bool) -> None:
    """Let this thread be bound by the modes of files; off: again as the user that it is."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = _Header(VERSION_3, 0), (_Sets * 2)()
    _done(libc.capget(ctypes.byref(header), sets))
    sets[0].effective &= ~DAC
    if not on:
        sets[0].effective |= sets[0].permitted & DAC
    _done(libc.capset(ctypes.byref(header), sets))


def _done(answer: int) -> None:
    if answer:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
