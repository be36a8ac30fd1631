"""The journal: kept whole, never fatal, and its fingerprints the same for everybody."""

from __future__ import annotations

import errno
import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import ConfigError
from rotator.core.record import VERSION, Record, SourceRecord
from rotator.system.journal import KEY, SET_ASIDE, FileJournal
from tests.faults import before, failing
from tests.support import NOW, missing

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.core.ports import Journal

RECORD = Record(outcome="rotated", sources={"ecr": SourceRecord(fetched_at=NOW)}, next_at=NOW)
LATER = Record(outcome="partial")


class Desk:
    """A state directory, the warnings, and journals as each new process has them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warnings: list[str] = []

    def journal(self, rotation: str = "dind") -> Journal:
        """Return the journal as a new process has it."""
        return FileJournal(self.folder, rotation, self.warnings.append)

    def names(self) -> list[str]:
        """Return what is in the directory."""
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a state directory that is not there yet."""
    return Desk(tmp_path / "state")


@pytest.fixture
def unwritable(tmp_path: Path) -> Desk:
    """Return a state directory that can't be made, not even by root."""
    (tmp_path / "file").write_text("no directory")
    return Desk(tmp_path / "file" / "state")


@pytest.mark.parametrize("lasting", [True, False])
def test_what_need_not_outlive_a_power_failure_is_synced_once(desk: Desk, *, lasting: bool) -> None:
    """The text is always on the disk before it gets its name, so the file is never torn."""
    synced: list[str] = []
    desk.journal().save(LATER)
    with before(lambda: synced.append("the name"), frozenset({"fsync"}), 2):
        desk.journal().save(RECORD, lasting=lasting)
    with before(lambda: synced.append("the text"), frozenset({"fsync"})):
        desk.journal().save(RECORD, lasting=lasting)
    assert synced == (["the name", "the text"] if lasting else ["the text"])
    assert desk.journal().load() == RECORD


def test_begins_empty(desk: Desk) -> None:
    """Nothing saved is no error, and reading makes nothing."""
    assert desk.journal().load() == Record()
    assert not desk.folder.exists()
    assert desk.warnings == []


def test_keeps_the_record_of_each_rotation(desk: Desk) -> None:
    """Another process finds what was saved, under the rotation's name."""
    desk.journal().save(RECORD)
    desk.journal("other").save(LATER)
    assert desk.journal().load() == RECORD
    assert desk.journal("other").load() == LATER
    assert desk.names() == ["dind.json", "other.json"]
    assert desk.warnings == []


def test_reads_what_others_saved_since(desk: Desk) -> None:
    """A record is read from the disk each time: `run-once` may have been there."""
    journal = desk.journal()
    journal.save(RECORD)
    desk.journal().save(LATER)
    assert journal.load() == LATER


def test_is_nobody_elses_to_read(desk: Desk) -> None:
    """The directory and every file in it are their owner's alone."""
    desk.journal().save(RECORD)
    desk.journal().fingerprint("text")
    assert stat.S_IMODE(desk.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in desk.folder.iterdir()} == {0o600}


def test_run_as_root_files_are_the_directorys_owners(desk: Desk) -> None:
    """The service that runs as another user can write them afterwards."""
    if os.geteuid():
        missing("root", "sudo make test")
    desk.folder.mkdir()
    os.chown(desk.folder, 12345, 54321)
    desk.journal().save(RECORD)
    desk.journal().fingerprint("text")
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in desk.folder.iterdir()}
    assert owners == {(12345, 54321)}


GARBAGE = {
    "empty": b"",
    "truncated": RECORD.dump().encode()[:-9],
    "not JSON": b"garbage",
    "not text": b"\xff\xfe\x00",
    "NULs after a power failure": bytes(400),
    "another document": b'{"auths": {}, "version": "x"}',
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_set_aside(desk: Desk, garbage: bytes) -> None:
    """It is kept for a person to look at, told once, and the work begins afresh."""
    desk.folder.mkdir()
    (desk.folder / "dind.json").write_bytes(garbage)
    journal = desk.journal()
    assert journal.load() == journal.load() == Record()
    assert desk.names() == ["dind.json.1.set-aside"]
    assert (desk.folder / "dind.json.1.set-aside").read_bytes() == garbage
    assert len(desk.warnings) == 1
    assert "dind.json.1.set-aside" in desk.warnings[0]
    journal.save(RECORD)
    assert desk.journal().load() == RECORD


def test_a_newer_journal_is_refused(desk: Desk) -> None:
    """A downgrade would lose what it does not know: the file stays, and nothing starts."""
    desk.journal().save(RECORD)
    path = desk.folder / "dind.json"
    text = path.read_text().replace(f'"version":{VERSION}', f'"version":{VERSION + 1}')
    path.write_text(text)
    with pytest.raises(ConfigError, match="written by a newer rotator"):
        desk.journal()
    assert path.read_text() == text


def test_a_directory_in_its_place_is_set_aside(desk: Desk) -> None:
    """Whatever has the journal's name makes way."""
    (desk.folder / "dind.json" / "inner").mkdir(parents=True)
    desk.journal().load()
    desk.journal().save(RECORD)
    assert desk.journal().load() == RECORD


def test_only_so_many_stay(desk: Desk) -> None:
    """The newest is number one, and the oldest goes."""
    desk.folder.mkdir()
    for number in range(SET_ASIDE + 3):
        (desk.folder / "dind.json").write_text(f"garbage {number}")
        desk.journal().load()
    stored = [path.read_text() for path in sorted(desk.folder.iterdir())]
    assert stored == [f"garbage {number}" for number in (5, 4, 3)]


def test_what_cannot_be_set_aside_is_said(desk: Desk) -> None:
    """Neither read nor moved: it is told once, and the work goes on without."""
    desk.folder.mkdir()
    (desk.folder / "dind.json").write_text("garbage")
    journal = desk.journal()
    for _ in range(2):
        with failing("replace", errno.EACCES):
            assert journal.load() == Record()
    assert len(desk.warnings) == 1
    assert "nor set aside" in desk.warnings[0]


def test_without_a_directory_it_works_from_memory(unwritable: Desk) -> None:
    """One warning; record and key live as long as the process."""
    journal = unwritable.journal()
    assert journal.load() == Record()
    journal.save(RECORD)
    journal.save(LATER)
    assert journal.load() == LATER
    assert journal.fingerprint("text") == journal.fingerprint("text")
    assert journal.fingerprint("text") != unwritable.journal().fingerprint("text")
    assert len(unwritable.warnings) == 2, "one from each of the two processes"
    assert "cannot be written" in unwritable.warnings[0]
    assert "namei -l" in unwritable.warnings[0]


def test_a_disk_that_was_full_for_a_while(desk: Desk) -> None:
    """What could not be saved is remembered; the next save is a normal one, as is its warning."""
    journal = desk.journal()
    journal.save(RECORD)
    with failing("fsync", errno.ENOSPC):
        journal.save(LATER)
    assert journal.load() == LATER
    assert desk.journal().load() == RECORD
    journal.save(LATER)
    desk.journal().save(RECORD)
    assert journal.load() == RECORD, "the disk counts again"
    assert len(desk.warnings) == 1
    with failing("fsync", errno.ENOSPC):
        journal.save(RECORD)
    assert len(desk.warnings) == 2


def test_fingerprints_are_the_same_for_everybody(desk: Desk) -> None:
    """Every process and rotation with this state directory names a text alike."""
    fingerprint = desk.journal().fingerprint("text")
    assert fingerprint == desk.journal("other").fingerprint("text")
    assert fingerprint != desk.journal().fingerprint("text2")
    assert len(fingerprint) == 17
    assert fingerprint.startswith("hmac:")
    assert int(fingerprint[5:], 16) >= 0


def test_fingerprints_take_any_text(desk: Desk) -> None:
    """A document of somebody else's may hold half a surrogate pair."""
    assert desk.journal().fingerprint("\ud800") == desk.journal().fingerprint("\ud800")


def test_another_key_gives_other_fingerprints(desk: Desk, tmp_path: Path) -> None:
    """Without the key nobody can try out guesses."""
    other = Desk(tmp_path / "elsewhere")
    assert desk.journal().fingerprint("text") != other.journal().fingerprint("text")


@pytest.mark.parametrize("garbage", ["", "zz", "00" * 31, "00" * 33, "ü"])
def test_a_key_that_is_none_is_set_aside(desk: Desk, garbage: str) -> None:
    """A new key is made, and the next process finds it."""
    desk.folder.mkdir()
    (desk.folder / KEY).write_text(garbage)
    assert desk.journal().fingerprint("text") == desk.journal().fingerprint("text")
    assert desk.names() == [KEY, f"{KEY}.1.set-aside"]
    assert len(desk.warnings) == 1
    assert garbage not in desk.warnings[0] or len(garbage) < 3


def test_two_rotations_that_begin_together_share_a_key(desk: Desk) -> None:
    """Whoever makes the key first makes it for all."""
    journals = [desk.journal(f"r{number}") for number in range(8)]
    together = threading.Barrier(len(journals))
    found = []

    def ask(journal: Journal) -> None:
        together.wait(30)
        found.append(journal.fingerprint("text"))

    threads = [threading.Thread(target=ask, args=(journal,)) for journal in journals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == len(journals)
    assert set(found) == {desk.journal().fingerprint("text")}


@pytest.mark.parametrize("readable", [True, False])
def test_a_key_that_somebody_makes_meanwhile(desk: Desk, *, readable: bool) -> None:
    """The other's key is taken; where it is gone again, our own does for this process."""

    def make() -> None:
        (desk.folder / KEY).write_text("00" * 32 if readable else "")

    journal = desk.journal()
    with before(make, frozenset({"link"})):
        fingerprint = journal.fingerprint("text")
    assert fingerprint == journal.fingerprint("text")
    assert (fingerprint == desk.journal().fingerprint("text")) == readable
