"""Ctrl-C, SIGTERM and SIGHUP end every command but the daemon in one way: by an exception.

So a terminal gets its cursor back, and one line says what was done.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rotator.system.standard_streams import StandardStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN_SECONDS = 1.0  # `timeout` and closing terminals send theirs twice, at once


class Interrupted(KeyboardInterrupt):
    """A signal has come. `done`: what was done until then. `code`: the exit code, as in shells."""

    def __init__(self, number: int, done: str = "") -> None:
        super().__init__(number, done)
        self.number, self.done, self.code = number, done, 128 + number

    def __str__(self) -> str:
        done = self.done or "what was written until then stays"
        return f"interrupted by {signal.Signals(self.number).name}: {done}"


def listen() -> None:
    """Raise `Interrupted` for each signal from now on, except for one that is to be ignored."""
    last = -_AGAIN_SECONDS
    terminals = [stream for stream in (1, 2) if os.isatty(stream)]

    def interrupt(number: int, _: object) -> None:
        nonlocal last
        if time.monotonic() - last < _AGAIN_SECONDS:
            return
        last = time.monotonic()
        for stream in terminals:
            if not os.isatty(stream):  # it was closed: nothing can be written to it any more
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        raise Interrupted(number)

    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup; a shell's background job
            signal.signal(number, interrupt)


def ignore() -> None:
    """Take no more notice: the end has begun, and has to come to its end.

    A reader of the output who hangs is not waited for.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, StandardStream):
            stream.hurry()
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def telling(done: Callable[[], str]) -> Iterator[None]:
    """Have a signal that comes within the block tell what was `done` until then."""
    try:
        yield
    except Interrupted as error:
        error.done = error.done or done()
        raise
