"""Standard output and error that stop nothing: what can't be written there is dropped.

A log is no condition for renewing. Its disk may be full, its reader may be gone or hang, it may be
closed from the start; and a name may have characters that a terminal can't show.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

_INPUT, _OUTPUT, _ERROR = range(3)

# How long a reader of the log may take until there is room for more.
_PATIENCE = 5.0


class _Dropping(io.FileIO):
    """A descriptor whose write never fails: what can't be written is dropped.

    `lost` lines and the last `error` tell of it. `patience`: seconds to wait for a reader who is
    slow, None without a limit.
    """

    def __init__(self, descriptor: int, patience: float | None) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.lost = 0
        self.error: OSError | None = None
        self._patience = patience
        self._within_a_line = False

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # a buffer, of which bytes are one
        """Write some of the data, or drop it; return how much of it is done with."""
        text = bytes(data)
        # A line that was cut off ends before the next begins.
        end = b"\n" if self.lost and self._within_a_line else b""
        try:
            if not self._has_room():
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            # As much as a pipe with room is sure to take at once.
            count = super().write((end + text)[: select.PIPE_BUF])
            if count is None:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        except OSError as error:
            self.error = error
            self.lost += text.count(b"\n")
            return len(text)
        self.lost = 0
        self._within_a_line = not (end + text)[:count].endswith(b"\n")
        return max(count - len(end), 0)

    def wait_for_nobody(self) -> None:
        """Drop what can't be written at once."""
        self._patience = 0.0

    def _has_room(self) -> bool:
        if self._patience is None:
            return True
        poll = select.poll()
        poll.register(self.fileno(), select.POLLOUT)
        # Only the first line waits for a reader that hangs.
        return bool(poll.poll(0 if self.lost else self._patience * 1000))


class StandardStream(io.TextIOWrapper):
    """What is printed; a character that it can't show is replaced by its escape."""

    # click would take the bytes' stream of a terminal without Unicode, and write UTF-8 there.
    buffer = None  # type: ignore[assignment]

    is_hurried = False

    def __init__(self, descriptor: int, encoding: str, patience: float | None) -> None:
        self._raw = _Dropping(descriptor, patience)
        lines = patience is not None or self._raw.isatty()
        buffered = io.BufferedWriter(cast("io.RawIOBase", self._raw))
        super().__init__(buffered, encoding, "backslashreplace", line_buffering=lines)

    def hurry(self) -> None:
        """Wait for no reader any more: the command has been ended."""
        self.is_hurried = True
        self._raw.wait_for_nobody()

    def write(self, text: str | bytes, /) -> int:
        """Write text, or bytes: click has a shell's completions as such."""
        return super().write(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)

    @property
    def lost(self) -> int:
        """Return how many lines were dropped since the last that was written."""
        return self._raw.lost

    @property
    def error(self) -> OSError | None:
        """Return why something was dropped; None where nothing was."""
        return self._raw.error


@contextmanager
def standard_streams() -> Iterator[None]:
    """Use such streams for the block; exit with 1 after it where the output was not written."""
    _open_all()
    if sys.stdin is None:
        sys.stdin = open(_INPUT, closefd=False)  # noqa: SIM115  a descriptor, for good
    # Not those that somebody put in their place, such as a test.
    if sys.stdout is sys.__stdout__:
        sys.stdout = StandardStream(_OUTPUT, _encoding(sys.stdout), None)
    if sys.stderr is sys.__stderr__:
        sys.stderr = StandardStream(_ERROR, _encoding(sys.stderr), _PATIENCE)
    try:
        yield
    finally:
        _end()


def _end() -> None:
    sys.stdout.flush()
    error = getattr(sys.stdout, "error", None)
    if error is None or getattr(sys.stdout, "is_hurried", False):
        return
    if not isinstance(error, BrokenPipeError):  # who reads no more has what they want
        said = f"rotator: its output could not be written: {error.strerror}\n"
        sys.stderr.write(said)
    sys.exit(1)


def _open_all() -> None:
    """Open what is closed: the next file would get its number, and be printed into."""
    for descriptor in (_INPUT, _OUTPUT, _ERROR):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003  it has no name


def _encoding(stream: TextIO | None) -> str:
    return "utf-8" if stream is None else stream.encoding
