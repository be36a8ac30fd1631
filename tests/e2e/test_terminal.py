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
import sys
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from rotator.signals import ENDING
from tests.e2e.watched import PROGRAM, Watched
from tests.fakes.vault_door import Answer, VaultDoor
from tests.support import MARKED

if TYPE_CHECKING:
    from collections.abc import Mapping
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


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("command", ["check", "run-once"])
def test_a_signal(tmp_path: Path, command: str, number: signal.Signals) -> None:
    """128 and its number, what it was, and what was done until then; twice is once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        watched = asks(silent, tmp_path)
        words = [PROGRAM, "--config", str(watched.place / "rotator.yaml"), command]
        environ = {"PATH": os.environ["PATH"], "ROTATOR_TEST_TOKEN": f"{MARKED}t"}
        with (
            subprocess.Popen(words, env=environ, stderr=subprocess.PIPE) as running,
            silent.accept()[0],  # it waits for an answer until this is closed
        ):
            running.send_signal(number)
            running.send_signal(number)
            said = running.communicate(timeout=30)[1].decode()
    assert running.returncode == 128 + number, said
    step = re.escape("fetch vault (dind)" if command == "run-once" else "check vault")
    expected = rf"interrupted by {number.name}: nothing was written.* Not ended: {step}"
    assert re.search(expected, said), said
    assert "Traceback" not in said
    assert "Aborted" not in said


def test_a_signal_is_tested_in_the_background_too() -> None:
    """A shell's background job ignores it, and so would all that pytest starts there."""
    tested = f"{__file__}::{test_a_signal.__name__}[check-2]"
    command = f"trap '' INT; exec {sys.executable} -m pytest -q -p no:xdist -o addopts= '{tested}'"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("number", ENDING)
def test_the_cursor_comes_back(tmp_path: Path, number: signal.Signals) -> None:
    """Whatever ends a command that shows its progress."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        watched = asks(silent, tmp_path)
        environ = {"ROTATOR_TEST_TOKEN": f"{MARKED}t"}
        code, text = run_until(watched, ["run-once"], "waiting for vault", number, environ)
    assert code == 128 + number, text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0
    assert f"rotator: interrupted by {number.name}: nothing was written" in text


def test_a_terminal_that_is_closed(tmp_path: Path) -> None:
    """Nobody can read the line any more, and the end is the same."""
    ours, theirs = pty.openpty()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        watched = asks(silent, tmp_path)
        with subprocess.Popen(
            [PROGRAM, "--config", str(watched.place / "rotator.yaml"), "run-once"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"TERM": "xterm", "ROTATOR_TEST_TOKEN": f"{MARKED}t"},
        ) as running:
            os.close(theirs)
            text = b""
            while b"waiting for vault" not in text:
                text += os.read(ours, 65536)
            os.close(ours)
            running.send_signal(signal.SIGHUP)
            assert running.wait(20) == 128 + signal.SIGHUP


def run_until(
    watched: Watched,
    words: list[str],
    enough: str,
    number: int = signal.SIGINT,
    more: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a command on a terminal until a text stands there, then end it; return code and text."""
    ours, theirs = pty.openpty()
    command = [PROGRAM, "--config", str(watched.place / "rotator.yaml"), *words]
    environ = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    environ |= more or {}
    text, pressed = b"", False
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ) as run:
        os.close(theirs)
        with suppress(OSError):  # the terminal ends with the last who writes to it
            while part := os.read(ours, 65536):
                text += part
                if enough.encode() in text and not pressed:
                    run.send_signal(number)
                    pressed = True
        code = run.wait(20)
    os.close(ours)
    return code, STYLE.sub("", text.decode())


def test_the_daemon_on_a_terminal(tmp_path: Path) -> None:
    """It says that it runs, and after each cycle what is next and when; all in readable lines."""
    watched = Watched(tmp_path)
    watched.configuration.pop("log")
    watched.write()
    code, text = run_until(watched, ["run"], "next: dind in ")
    assert code == 130, text
    lines = text.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\dZ started \(version .*, rotations dind\)", lines[0]), text
    assert "Ctrl-C stops rotator" in lines[1]
    assert any("1 rotation, all fresh and job-safe; next: dind in" in line for line in lines), text
    assert lines[-1] == "rotator: interrupted by SIGINT: every cycle that had begun has ended"
    assert "{" not in text
    assert "Traceback" not in text


def test_more_and_less_of_the_daemon(tmp_path: Path) -> None:
    """`-q`: what is wrong and nothing else; `-v`: cycles in which nothing changed, too."""
    watched = Watched(tmp_path)
    watched.configuration.pop("log")
    watched.write()
    watched.command("run-once")
    _, text = run_until(watched, ["-v", "run"], "outcome fresh")
    assert "dind: cycle ended (outcome fresh" in text
    watched.source.unlink()
    _, text = run_until(watched, ["-q", "run"], "fetch failed")
    written = [line for line in text.splitlines() if line and "interrupted" not in line]
    assert all("warning: " in line or "error: " in line for line in written), text
    assert "To do: " in text


def test_each_request(tmp_path: Path) -> None:
    """`-vv` shows a line for each request, and no secret."""
    with VaultDoor("http://127.0.0.1:1") as door, socket.create_server(("127.0.0.1", 0)) as silent:
        door.rude[""] = Answer(403)
        watched = asks(silent, tmp_path)
        watched.configuration["rotations"][0]["sources"][0]["address"] = door.url
        watched.write()
        token = f"{MARKED}t"
        text = seen(watched, ["-vv", "run-once"], 200, errors=True, ROTATOR_TEST_TOKEN=token)
    assert re.search(r'request: .*"GET /v1/\S+ HTTP/1.1" 403', text), text
    assert MARKED not in text
