"""What can't be printed stops nothing: not a daemon, not a cycle, and no command ends by a bug."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import termios
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.site import PROGRAM
from tests.support import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOST = "registry.example.com"
ENTRY = {"auths": {HOST: {"auth": "dXNlcjpzM2NyM3Qtb25l"}}}


class Place:
    """A rotation from one file to another, which asks no server."""

    def __init__(self, folder: Path, name: str = "out") -> None:
        self.folder = folder
        self.config = folder / "rotator.yaml"
        self.log = folder / "log"
        self.file = folder / name / "config.json"
        self.file.parent.mkdir()
        (folder / "source.json").write_text(json.dumps(ENTRY))
        self.top: dict[str, Any] = {"state_dir": str(folder / "state")}
        self.rotation: dict[str, Any] = {
            "name": "dind",
            "prove": "off",
            "schedule": {"poll": "1s"},
            "sources": [{"type": "docker_config", "path": str(folder / "source.json")}],
            "targets": [{"type": "file", "path": str(self.file)}],
        }

    def write(self) -> None:
        """Write the configuration."""
        document = {"version": 1, **self.top, "rotations": [self.rotation]}
        self.config.write_text(json.dumps(document, ensure_ascii=False), "utf-8")

    def shell(self, words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a line of a shell, in which `rotator` is the installed one with the configuration."""
        self.write()
        line = f'rotator() {{ {PROGRAM} --config {self.config} "$@"; }}; set -o pipefail; {words}'
        return subprocess.run(
            ["bash", "-c", line],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )

    def published(self) -> bool:
        """Tell whether the file holds the entry."""
        return self.file.exists() and HOST in self.file.read_text()


@contextmanager
def running(place: Place, stderr: Any, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon with this standard error until the block ends."""
    place.write()
    words = [PROGRAM, "--config", place.config, "run"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=stderr, **more) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a place with nothing published yet."""
    return Place(tmp_path)


def gone(place: Place) -> tuple[int, Callable[[], object]]:
    """Return the one end of a pipe, and what lets its reader go away."""
    fifo = place.folder / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    return os.open(fifo, os.O_WRONLY), lambda: os.close(reader)


def stalled(_: Place) -> tuple[int, Callable[[], object]]:
    """Return the one end of a pipe whose reader reads no more, and what fills it."""
    reader, writer = os.pipe()

    def fill() -> None:
        os.set_blocking(writer, False)
        with suppress(BlockingIOError):
            while reader:  # which stays open
                os.write(writer, b"\n")
        os.set_blocking(writer, True)

    return writer, fill


def full(place: Place) -> tuple[int, Callable[[], object]]:
    """Return a file, and what fills it up: nothing, as a limit of the daemon's does."""
    return os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), lambda: None


def small_files() -> None:
    """Let no file become larger than this, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


@pytest.mark.parametrize("broken", [gone, stalled, full])
def test_a_daemon_goes_on_where_its_log_ends(
    place: Place, broken: Callable[[Place], tuple[int, Callable[[], object]]]
) -> None:
    """What is deleted comes back again and again, and SIGTERM ends it with 0."""
    stderr, end = broken(place)
    limit = small_files if broken is full else None
    with running(place, stderr, preexec_fn=limit) as process:
        until(place.published, 30, "the file")
        end()
        for _ in range(12):
            place.file.unlink()
            until(place.published, 30, "the file to come back")
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    os.close(stderr)


def test_a_daemon_without_a_standard_error(place: Place) -> None:
    """Neither a closed one nor a full one keeps it from starting."""
    for words in ("2>&-", "2>/dev/full", ">&- 2>&- <&-"):
        done = place.shell(
            f"rotator run {words} & for i in $(seq 300); do "
            f"[ -e {place.file} ] && break; sleep 0.1; done; kill $(pgrep -P $!); wait $!"
        )
        assert (done.returncode, place.published()) == (0, True), (words, done)
        place.file.unlink()


def test_what_was_lost_is_counted(place: Place) -> None:
    """The first line that can be written again says how many could not."""
    with running(place, full(place)[0], preexec_fn=small_files) as process:
        until(lambda: place.log.exists() and place.log.stat().st_size == 4096, 60, "a full log")
        os.truncate(place.log, 0)
        until(lambda: "lines_lost" in place.log.read_text(), 60, "what was lost")
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    events = [json.loads(line) for line in place.log.read_text().splitlines() if line]
    assert [event["lines_lost"] >= 1 for event in events if "lines_lost" in event] == [True]


@pytest.mark.parametrize("err", ["2>/dev/full", "2>&-", "2> >(true)"])
def test_run_once_without_a_standard_error(place: Place, err: str) -> None:
    """It publishes, prints its result and ends as if the log had been written."""
    done = place.shell(f"rotator run-once --json {err}")
    assert (done.returncode, place.published()) == (0, True), done
    assert json.loads(done.stdout)["rotations"][0]["outcome"] == "rotated"


@pytest.mark.parametrize("words", ["status", "schema", "run-once", "check --offline", "--version"])
def test_output_to_a_full_disk(place: Place, words: str) -> None:
    """One sentence, and all that the command had to do is done."""
    place.top["metrics_file"] = str(place.folder / "rotator.prom")
    done = place.shell(f"rotator {words} >/dev/full")
    assert done.returncode == 1, done
    said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert said == ["rotator: its output could not be written: No space left on device"]
    if words == "run-once":
        assert place.published()
        assert (place.folder / "rotator.prom").exists()


@pytest.mark.parametrize("words", ["status", "schema", "run-once", "--version", "--help"])
def test_output_that_nobody_reads(place: Place, words: str) -> None:
    """A pipe whose reader is gone is no news, and what had to be done is done."""
    place.top["metrics_file"] = str(place.folder / "rotator.prom")
    done = place.shell(f"rotator {words} | sleep 0")
    assert [line for line in done.stderr.splitlines() if not line.startswith("{")] == []
    assert (place.folder / "rotator.prom").exists() is (words == "run-once")


ASCII = {"PYTHONIOENCODING": "ascii"}
ASCII_FILES = {"LC_ALL": "C", "PYTHONUTF8": "0"}
ODD = "ünï→日本 x"


@pytest.mark.parametrize("words", ["run-once", "status", "check", "check --offline"])
@pytest.mark.parametrize("columns", ["", "COLUMNS=80 "])
def test_names_that_a_terminal_can_not_show(tmp_path: Path, words: str, columns: str) -> None:
    """They are printed with escapes."""
    place = Place(tmp_path, ODD)
    assert place.shell("rotator run-once -q", **ASCII).returncode == 0
    done = place.shell(f"{columns}rotator {words}", **ASCII)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done
    assert (done.stdout + done.stderr).isascii()
    assert "\\u65e5" in done.stdout or "offline" in words


@pytest.mark.parametrize("words", ["run-once", "status", "check", "check --offline", "run"])
def test_paths_that_the_system_can_not_have(tmp_path: Path, words: str) -> None:
    """One sentence names the path, and what to set."""
    place = Place(tmp_path, ODD)
    done = place.shell(f"rotator {words}", **ASCII_FILES)
    assert done.returncode == 2, done
    assert done.stderr.count("\n") == 1
    assert "LC_ALL=C.UTF-8" in done.stderr


def test_a_reader_that_hangs_holds_no_command_that_was_ended(place: Place) -> None:
    """`timeout 60 rotator schema | …` ends, whatever the reader does."""
    place.write()
    reading, writing = os.pipe()
    command = [str(PROGRAM), "--config", str(place.config), "schema"]
    with subprocess.Popen(command, stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        until(lambda: is_full(reading), what="a pipe that has no room")
        process.terminate()
        assert process.wait(20) == 128 + signal.SIGTERM
        assert process.stderr is not None
        assert b"interrupted by SIGTERM" in process.stderr.read()
    os.close(reading)


def is_full(pipe: int) -> bool:
    """Tell whether a pipe holds as much as it can."""
    waiting = fcntl.ioctl(pipe, termios.FIONREAD, b"\0\0\0\0")
    return int.from_bytes(waiting, sys.byteorder) >= fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
