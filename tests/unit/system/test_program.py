"""Programs that are not ours are bounded, and nothing of them is left behind."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from rotator.system.program import ProgramOutputError, ProgramTimeoutError, run
from tests.fakes.credential_helper import ended
from tests.support import open_files, until

if TYPE_CHECKING:
    from pathlib import Path


def shell(script: str, question: bytes = b"", seconds: float = 30, limit: int = 1000) -> object:
    """Run a shell script and return its exit code and output."""
    environment = {"PATH": os.environ["PATH"]}
    return run(["/bin/sh", "-c", script], question, environment, seconds, limit)


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        pytest.param("cat", (0, b"question"), id="reads its question"),
        pytest.param("printf a; exit 3", (3, b"a"), id="exit code"),
        pytest.param("printf a; kill -SEGV $$", (-11, b"a"), id="ended by a signal"),
        pytest.param("exec >&-; exit 4", (4, b""), id="closes its output"),
        pytest.param("printf a; sleep 0.02; printf b", (0, b"ab"), id="answers bit by bit"),
        pytest.param("head -c 1000000 /dev/zero >&2; printf a", (0, b"a"), id="floods its log"),
        pytest.param("head -c 1000 /dev/zero", (0, bytes(1000)), id="just within the limit"),
    ],
)
def test_answers(script: str, answer: tuple[int, bytes]) -> None:
    """Exit code and standard output come back, whatever else it did."""
    assert shell(script, b"question") == answer


def test_does_not_read() -> None:
    """A program that closes its input unread may answer all the same."""
    more_than_a_pipe_holds = b"x" * 200_000
    assert shell("exec <&-; printf a", more_than_a_pipe_holds) == (0, b"a")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("sleep 600", id="hangs"),
        pytest.param("exec >&-; sleep 600", id="closes its output and hangs"),
        pytest.param("while :; do printf a; sleep 0.01; done", id="drips"),
        pytest.param("trap '' TERM INT HUP; sleep 600", id="ignores signals"),
    ],
)
def test_too_slow(script: str) -> None:
    """What has not ended in time is killed."""
    with pytest.raises(ProgramTimeoutError):
        shell(script, seconds=0.1)


@pytest.mark.parametrize("script", ["cat /dev/zero", "head -c 1001 /dev/zero", "yes & wait"])
def test_floods(script: str) -> None:
    """More output than the limit is not taken in."""
    with pytest.raises(ProgramOutputError):
        shell(script)


@pytest.mark.parametrize(
    ("ending", "answer"),
    [
        pytest.param("printf a", (0, b"a"), id="answers"),
        pytest.param("sleep 600", ProgramTimeoutError, id="hangs too"),
        pytest.param("cat /dev/zero", ProgramOutputError, id="floods"),
    ],
)
def test_leaves_nothing_behind(tmp_path: Path, ending: str, answer: object) -> None:
    """A child that holds the output open and hangs keeps nobody waiting, and is ended."""
    script = f"sleep 600 & echo $! >{tmp_path}/child; {ending}"
    if isinstance(answer, tuple):
        assert shell(script) == answer
    else:
        with pytest.raises((ProgramTimeoutError, ProgramOutputError)) as caught:
            shell(script, seconds=0.5)
        assert caught.type is answer
    child = int((tmp_path / "child").read_text())
    until(lambda: ended(child), what="the helper's child to end")


def test_opens_nothing_for_good() -> None:
    """Neither answers nor failures leave file descriptors open."""
    shell("true")
    before = Counter(open_files())
    for script in ("true", "sleep 600", "cat /dev/zero"):
        try:
            shell(script, seconds=0.05)
        except (ProgramTimeoutError, ProgramOutputError):
            continue
    # Threads of other tests may open and close what they need meanwhile: files and sockets.
    ours = ("pipe:", "anon_inode:")
    assert not [one for one in Counter(open_files()) - before if one.startswith(ours)]


def test_missing() -> None:
    """A program that is not there is the operating system's own error."""
    with pytest.raises(FileNotFoundError):
        run(["/nowhere/program"], b"", {}, 1, 1)
