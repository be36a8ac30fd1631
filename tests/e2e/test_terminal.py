"""What a person at a terminal sees, and who says that they want no colour."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.e2e.watched import PROGRAM, Watched
from tests.support import MARKED

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = (["run-once"], ["status"], ["status", "--live"], ["check"])
COLOUR = re.compile(r"\x1b\[(?:\d+;)*3[0-7]m")
STYLE = re.compile(r"\x1b\[[0-9;]*m")


def seen(
    watched: Watched, words: list[str], columns: int, *, errors: bool = False, **more: str
) -> str:
    """Return what a command prints to a terminal of that width; `errors`: its errors, too."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environ = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8", **more}
    command = [PROGRAM, "--config", str(watched.place / "rotator.yaml"), *words]
    with subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs if errors else subprocess.DEVNULL,
        env=environ,
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


def asks(silent: socket.socket, place: Path) -> Watched:
    """Return a rotation from a Vault that takes connections and says nothing."""
    watched = Watched(place)
    source = {
        "type": "vault",
        "address": f"http://127.0.0.1:{silent.getsockname()[1]}",
        "auth": {"method": "token", "token_env": "ROTATOR_TEST_TOKEN"},
        "path": "secret/x",
        "registry": "r.example.com",
    }
    watched.configuration["rotations"][0]["sources"] = [source]
    watched.write()
    return watched


def test_a_terminal_shows_who_is_waited_for(tmp_path: Path) -> None:
    """While a server hangs, a line says which one and for how long."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        watched = asks(silent, tmp_path)
        for command, said in (("check", "vault"), ("run-once", r"vault \(dind\)")):
            text = seen(watched, [command], 80, errors=True, ROTATOR_TEST_TOKEN=f"{MARKED}t")
            assert re.search(rf"waiting for {said}, \d+ s", STYLE.sub("", text)), text


def test_a_terminal_says_everything_once(tmp_path: Path) -> None:
    """Log and table share it: what went wrong is in the table, and with -v in the log too."""
    watched = Watched(tmp_path)
    watched.configuration.pop("log")
    watched.write()
    watched.source.unlink()
    once = STYLE.sub("", seen(watched, ["run-once"], 200, errors=True))
    assert once.count("cannot read the docker config") == 1, once
    assert "fetch failed" not in once
    assert "fetch failed" in seen(watched, ["-v", "run-once"], 200, errors=True)


def test_waiting_for_another_rotator(tmp_path: Path) -> None:
    """Whose lock is waited for is said while it is waited for."""
    watched = Watched(tmp_path)
    watched.command("run-once")
    with (tmp_path / "state" / "dind.cycle.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        text = STYLE.sub("", seen(watched, ["run-once", "--wait", "2"], 80, errors=True))
    assert re.search(r"lock waiting for another cycle of dind, \d s", text), text


@pytest.mark.parametrize("command", ["check", "run-once"])
def test_ctrl_c(tmp_path: Path, command: str) -> None:
    """130, and what was done until then."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        watched = asks(silent, tmp_path)
        words = [PROGRAM, "--config", str(watched.place / "rotator.yaml"), command]
        environ = {"PATH": os.environ["PATH"], "ROTATOR_TEST_TOKEN": f"{MARKED}t"}
        with (
            subprocess.Popen(words, env=environ, stderr=subprocess.PIPE) as running,
            silent.accept()[0],  # it waits for an answer until this is closed
        ):
            running.send_signal(signal.SIGINT)
            said = running.communicate(timeout=30)[1].decode()
    assert (running.returncode, "interrupted: " in said) == (130, True), said
    assert "Traceback" not in said
    assert "Aborted" not in said
