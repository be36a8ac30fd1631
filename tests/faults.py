"""Makes the system fail, or the process stop, at one exact call, without replacing any code.

The interpreter tells a profile function of each call of a C function just before it is made, and
what that function raises, the caller gets in place of the call. A call through ctypes is none of
those: our own function that makes it (`renameat2`) stands for it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

BEYOND = frozenset(
    {"open", "write", "pwrite", "fsync", "fchmod", "fchown", "setxattr", "removexattr"}
    | {"rename", "renameat2", "link", "unlink", "rmdir", "mkdir"}
    | {"connect", "send", "sendall", "sendmsg", "recv", "recv_into"}
)
"""The calls that others can see: files, directories and connections."""

THROUGH_CTYPES = frozenset({"renameat2"})

RECEIVING = frozenset({"recv", "recv_into"})

LONGEST_ANSWER = 10.0
"""Seconds."""


class Crash(BaseException):
    """The process would have ended here."""


@contextmanager
def before(
    effect: Callable[[], object], names: frozenset[str], number: int = 1, times: int = 1
) -> Iterator[None]:
    """Have the effect just before this thread's `number`-th call of a C function so named.

    `times`: and before the calls that follow, so many in all.
    """
    left = number

    def profile(frame: FrameType, event: str, called: Any) -> None:
        nonlocal left
        name = called.__name__ if event == "c_call" else frame.f_code.co_name
        if name in names and (event == "c_call" or (event == "call" and name in THROUGH_CTYPES)):
            left -= 1
            if -times < left <= 0:
                if name in RECEIVING:
                    # What was sent does its work first, not in the middle of what the test does
                    # next: the answer lies ready, and nobody reads it.
                    select.select([called.__self__], [], [], LONGEST_ANSWER)
                effect()

    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)


@contextmanager
def failing(name: str, number: int, times: int = 1) -> Iterator[None]:
    """Let the first call of `name` (such as `rename`) fail with the error number."""

    def fail() -> None:
        raise OSError(number, os.strerror(number))

    with before(fail, frozenset({name}), times):
        yield


@contextmanager
def crashing(number: int) -> Iterator[None]:
    """Raise `Crash` in place of the `number`-th call that others could see."""

    def crash() -> None:
        raise Crash

    with before(crash, BEYOND, number):
        yield


@contextmanager
def killing(number: int) -> Iterator[None]:
    """Kill this process just before the `number`-th call that others could see."""
    with before(lambda: os.kill(os.getpid(), signal.SIGKILL), BEYOND, number):
        yield
