"""What a person at a terminal sees, and who says that they want no colour."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.e2e.watched import PROGRAM, Watched

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = (["run-once"], ["status"], ["status", "--live"], ["check"])
COLOUR = re.compile(r"\x1b\[(?:\d+;)*3[0-7]m")
STYLE = re.compile(r"\x1b\[[0-9;]*m")


def seen(watched: Watched, words: list[str], columns: int, **more: str) -> str:
    """Return what a command prints to a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environ = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8", **more}
    command = [PROGRAM, "--config", str(watched.place / "rotator.yaml"), *words]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=environ
    ):
        os.close(theirs)
        text = b""
        with suppress(OSError):  # the terminal ends with the last who writes to it
            while part := os.read(ours, 65536):
                text += part
    os.close(ours)
    return text.decode()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_colour_unless_it_is_not_wanted(tmp_path: Path, words: list[str]) -> None:
    """A terminal gets colour, one whose user has set NO_COLOR the same without (no-color.org)."""
    watched = Watched(tmp_path)
    watched.command("run-once")
    assert COLOUR.search(seen(watched, words, 100))
    plain = seen(watched, words, 100, NO_COLOR="1")
    assert plain
    assert not COLOUR.search(plain)


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 160])
def test_any_width(tmp_path: Path, columns: int) -> None:
    """No line is longer than the terminal, and nothing is cut off."""
    watched = Watched(tmp_path)
    for words in COMMANDS:
        lines = STYLE.sub("", seen(watched, words, columns)).splitlines()
        assert max(map(len, lines)) <= columns, words
        assert watched.target.name in "".join(line.strip() for line in lines)
