"""Real mounts, full disks, kills and readers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from rotator.core.errors import Reason, TemporaryError
from rotator.core.model import Secret
from tests.faults import before
from tests.unit.targets.file.desk import NEW, OLD, names_in, publish, refusal, target

if TYPE_CHECKING:
    from collections.abc import Callable


def fill(ballast: IO[bytes]) -> None:
    """Take one page of the disk after the other until there is none left."""
    while True:
        ballast.write(bytes(4096))


def test_a_disk_that_is_full(folder: Path, mount: Callable[..., None]) -> None:
    """On a real full disk the old document stays, and a write after making room succeeds."""
    mount(folder, "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs")
    path = folder / "config.json"
    publish(path, OLD)
    with (
        (folder / "ballast").open("wb", buffering=0) as ballast,
        pytest.raises(OSError, match="No space"),
    ):
        fill(ballast)
    for how in ("replace", "in_place"):
        with pytest.raises(TemporaryError) as caught:
            publish(path, NEW + " " * 8000, write=how)
        assert caught.value.reason == Reason.NO_SPACE
        assert path.read_text().strip() == OLD
        assert names_in(folder) == ["ballast", "config.json"]
    (folder / "ballast").unlink()
    publish(path)
    assert path.read_text() == f"{NEW}\n"


def test_a_file_system_that_is_read_only(
    folder: Path, path: Path, mount: Callable[..., None]
) -> None:
    """A read-only bind mount, as jobs have it: read, never written."""
    mount(folder, "--bind", str(folder))
    subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
    assert target(path).read().text == Secret(OLD)
    for how in ("replace", "in_place"):
        assert refusal(path, write=how).reason == Reason.READ_ONLY


def test_a_file_that_is_a_mount_of_its_own(
    folder: Path, path: Path, mount: Callable[..., None]
) -> None:
    """A sidecar that mounts the single file can't replace it; in place it can."""
    source = folder.parent / "source.json"
    source.write_text(f"{OLD}\n")
    mount(path, "--bind", str(source))
    error = refusal(path)
    assert error.reason == Reason.MOUNT_POINT
    assert str(folder) in error.hint
    assert "write: in_place" in error.hint
    publish(path, write="in_place")
    assert source.read_text() == f"{NEW}\n"


def test_a_directory_in_its_place_that_is_a_mount(folder: Path, mount: Callable[..., None]) -> None:
    """An empty directory that something is mounted on stays."""
    path = folder / "config.json"
    path.mkdir()
    mount(path, "-t", "tmpfs", "-o", "mode=755", "tmpfs")
    assert refusal(path).reason == Reason.MOUNT_POINT


def test_without_extended_attributes(folder: Path, mount: Callable[..., None]) -> None:
    """A file system that has none loses the mark and nothing else."""
    mount(folder, "-t", "ramfs", "-o", "mode=755", "ramfs")
    path = folder / "config.json"
    for how in ("replace", "in_place"):
        written = publish(path, write=how)
        assert written.mark is None
        assert target(path).read() == written
        assert path.read_text() == f"{NEW}\n"


def test_the_mark_comes_with_the_content(path: Path) -> None:
    """The new text never has the old mark."""
    marks: list[bytes] = []
    publish(path, OLD)

    def look() -> None:
        (temporary,) = (found for found in path.parent.iterdir() if found != path)
        marks.append(os.getxattr(temporary, "user.rotator"))

    with before(look, frozenset({"rename"})):
        publish(path)
    assert b"hmac:0123456789ab" in marks[0]


@pytest.mark.parametrize(
    ("how", "old", "new"),
    [
        ("replace", OLD, NEW),
        ("in_place", '{"old":1}', '{"new":1,"longer":2}'),
        ("in_place", '{"old":1,"longer":2}', '{"new":1}'),
    ],
    ids=["replace", "in place, longer", "in place, shorter"],
)
def test_killed_between_any_two_calls(path: Path, how: str, old: str, new: str) -> None:
    """After SIGKILL at each step the document is old or new, and the next write tidies up."""
    writer = Path(__file__).with_name("kill_writer.py")
    command = [sys.executable, str(writer), str(path), how, old, new]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rounds) > 5
    assert {json.dumps(json.loads(one["text"])) for one in rounds} == {
        json.dumps(json.loads(text)) for text in (old, new)
    }
    if how == "replace":
        assert any(len(one["names"]) > 1 for one in rounds), "a kill leaves something at times"
    assert rounds[-1] == {"killed": False, "text": rounds[-1]["text"], "names": ["config.json"]}
    assert json.loads(rounds[-1]["text"]) == json.loads(new)


def test_readers_in_a_tight_loop_find_whole_documents(path: Path) -> None:
    """Whoever opens the file at any time reads all of one document."""
    documents = [json.dumps({"auths": {str(n): {"auth": "x" * 4000}}}) for n in range(2)]
    publish(path, documents[0])
    stop = threading.Event()
    reads: list[int] = []

    def read() -> None:
        bad = count = 0
        while not stop.is_set():
            count += 1
            bad += path.read_text() not in (f"{documents[0]}\n", f"{documents[1]}\n")
        reads.extend((count, bad))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(300):
        publish(path, documents[number % 2], durable=False)
    stop.set()
    reader.join(30)
    assert reads[0] > 100
    assert reads[1] == 0
