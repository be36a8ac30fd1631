"""What is read and written, and what is in the file's place."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import ConflictError, PermanentError, Reason, TemporaryError
from rotator.core.model import Content, Held, Secret
from rotator.targets.file import LIMIT
from tests.faults import before, failing
from tests.unit.targets.file.desk import MARK, NEW, opening, publish, refusal, target

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("how", ["replace", "in_place"])
def test_an_empty_directory_makes_way(folder: Path, how: str) -> None:
    """Docker makes one when a job mounts a missing file: it goes with the write, and is said."""
    path = folder / "config.json"
    path.mkdir()
    found = target(path, write=how)
    held = found.read()
    assert held == Held(None)
    assert path.is_dir()
    written = found.write(Secret(NEW), MARK, held)
    assert "removed the empty directory" in written.notes[0]
    assert path.read_text() == f"{NEW}\n"
    assert found.read().version == written.version


@pytest.mark.parametrize("how", ["replace", "in_place"])
def test_durable_waits_for_the_disk(path: Path, how: str) -> None:
    """Where it is on, a disk that can't keep the document is an error, and else not asked."""
    with failing("fsync", errno.EIO), pytest.raises(TemporaryError):
        publish(path, write=how)
    with failing("fsync", errno.EIO):
        publish(path, write=how, durable=False)


def test_a_directory_makes_way_only_for_a_whole_file(folder: Path) -> None:
    """When the write fails, the directory is still there: a job can at least start."""
    path = folder / "config.json"
    path.mkdir()
    with failing("fsync", errno.ENOSPC), pytest.raises(TemporaryError):
        publish(path)
    assert path.is_dir()


def test_a_directory_that_fills_up_before_the_write(folder: Path) -> None:
    """Nothing in it is lost."""
    path = folder / "config.json"
    path.mkdir()
    found = target(path)
    held = found.read()
    (path / "file").touch()
    with pytest.raises(PermanentError) as caught:
        found.write(Secret(NEW), MARK, held)
    assert caught.value.reason == Reason.INVALID
    assert (path / "file").exists()


def test_the_last_instant_counts(path: Path) -> None:
    """Somebody who writes while our file is being synced is not overwritten."""
    found = target(path)
    held = found.read()
    with (
        before(lambda: path.write_text("theirs"), frozenset({"fsync"})),
        pytest.raises(ConflictError),
    ):
        found.write(Secret(NEW), MARK, held)
    assert path.read_text() == "theirs"


@pytest.mark.parametrize("how", ["replace", "in_place"])
def test_a_file_removed_since_it_was_read(path: Path, how: str) -> None:
    """That is a change as any other."""
    found = target(path, write=how)
    held = found.read()
    path.unlink()
    with pytest.raises(ConflictError):
        found.write(Secret(NEW), MARK, held)
    assert not path.exists()


@pytest.mark.parametrize("doing", ["read", "write"])
def test_a_file_that_goes_at_the_worst_time(path: Path, doing: str) -> None:
    """Removed between the look and the opening: tried again, no bug."""
    found = target(path, write="in_place")
    held = found.read()
    opens = frozenset({"open"})
    if doing == "read":
        with before(path.unlink, opens, opening(path)), pytest.raises(TemporaryError) as caught:
            found.read()
    else:
        with before(path.unlink, opens, opening(path)), pytest.raises(TemporaryError) as caught:
            found.write(Secret(NEW), MARK, held)
    assert caught.value.reason == Reason.CONFLICT


def test_as_large_as_can_be_read_again(path: Path) -> None:
    """What would be too large to read back is not written."""
    publish(path, "x" * (LIMIT - 1))
    assert target(path).read().text == Secret("x" * (LIMIT - 1))
    assert refusal(path, "x" * LIMIT).reason == Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"\n", ""),
        (b"{}", "{}"),
        (b"{}\n", "{}"),
        (b"{}\n\n", "{}\n"),
        (b"{} \n", "{} "),
    ],
)
def test_one_line_end_is_the_files(path: Path, data: bytes, text: str) -> None:
    """The rest is the document's, also when it is empty or not ours."""
    path.write_bytes(data)
    assert target(path).read().text == Secret(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [("x" * 100, "y" * 10), ("x" * 10, "y" * 10), ("x" * 10, "y" * 100), ("", "y"), ("x", "")],
    ids=["shorter", "as long", "longer", "from nothing", "to nothing"],
)
@pytest.mark.parametrize("durable", [True, False])
def test_in_place_keeps_the_inode_and_never_shrinks(
    path: Path, old: str, new: str, *, durable: bool
) -> None:
    """A job that has the file mounted reads on from the same file; padding is not the text's."""
    path.write_text(f"{old}\n")
    inode, size = path.stat().st_ino, path.stat().st_size
    written = publish(path, new, write="in_place", durable=durable)
    assert path.stat().st_ino == inode
    assert path.stat().st_size == max(size, len(new) + 1)
    assert path.read_text().endswith("\n")
    held = target(path, write="in_place").read()
    assert (held.text, held.mark, held.version) == (Secret(new), MARK, written.version)


def test_in_place_makes_what_is_missing(folder: Path) -> None:
    """There is nothing to keep in place yet."""
    publish(folder / "config.json", write="in_place")
    assert (folder / "config.json").read_text() == f"{NEW}\n"


@pytest.mark.parametrize(
    ("content", "padding"), [(Content.DOCKER_CONFIG, " "), (Content.PASSWORD, "\n")]
)
def test_in_place_pads_with_what_readers_drop(path: Path, content: Content, padding: str) -> None:
    """JSON takes spaces, and `$(cat FILE)` drops line ends."""
    path.write_text("x" * 9 + "\n")
    publish(path, "s3cr3t", content=content, write="in_place")
    assert path.read_text() == f"s3cr3t{padding * 3}\n"
    assert target(path, content=content, write="in_place").read().text == Secret("s3cr3t")


def test_in_place_notices_a_change(path: Path) -> None:
    """It compares as a replacement does."""
    found = target(path, write="in_place")
    held = found.read()
    path.write_text("theirs")
    with pytest.raises(ConflictError):
        found.write(Secret(NEW), MARK, held)
    assert path.read_text() == "theirs"


def test_in_place_a_full_disk_leaves_the_old_text(path: Path) -> None:
    """Room is made first, and where there is none the old text is whole."""
    with failing("pwrite", errno.ENOSPC):
        error = refusal(path, write="in_place")
    assert error.reason == Reason.NO_SPACE
