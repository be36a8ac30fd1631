"""Locks: one holder, who is named; waiting that ends; no lock file that gets in the way."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import LockHeldError
from rotator.system.lock import cycle_lock, cycle_runs, daemon_lock, daemon_runs, lock
from tests.faults import failing
from tests.support import missing, open_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLD = """
import sys
from pathlib import Path
from rotator.system.lock import cycle_lock
with cycle_lock(Path(sys.argv[1]), "dind", 0, print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def warnings() -> list[str]:
    """Return where warnings go."""
    return []


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Return another process that holds the lock of `dind`."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_names_the_process_that_holds_it(
    tmp_path: Path, holder: subprocess.Popen[str], warnings: list[str]
) -> None:
    """Whoever comes second learns who was first, and which rotation it is about."""
    with (
        pytest.raises(LockHeldError, match=rf"pid {holder.pid}\) holds the lock of rotation dind"),
        cycle_lock(tmp_path, "dind", 0, warnings.append),
    ):
        pytest.fail("the lock was had twice")
    assert warnings == []


def test_ends_with_its_process(
    tmp_path: Path, holder: subprocess.Popen[str], warnings: list[str]
) -> None:
    """A killed holder leaves no lock behind, though its file stays."""
    holder.send_signal(signal.SIGKILL)
    holder.wait(30)
    with cycle_lock(tmp_path, "dind", 0, warnings.append):
        assert (tmp_path / "dind.cycle.lock").read_text() == f"{os.getpid()}\n"
    assert (tmp_path / "dind.cycle.lock").exists()
    assert warnings == []


def test_others_are_other_locks(tmp_path: Path, warnings: list[str]) -> None:
    """A rotation named daemon does not lock the daemon out; each rotation has its own lock."""
    with (
        daemon_lock(tmp_path, warnings.append),
        cycle_lock(tmp_path, "daemon", 0, warnings.append),
        cycle_lock(tmp_path, "dind", 0, warnings.append),
    ):
        assert warnings == []


def test_a_second_daemon_is_refused_at_once(tmp_path: Path, warnings: list[str]) -> None:
    """The daemon's lock is not waited for."""
    with (
        daemon_lock(tmp_path, warnings.append),
        pytest.raises(LockHeldError, match=f"pid {os.getpid()}.* holds the daemon's lock"),
        daemon_lock(tmp_path, warnings.append),
    ):
        pytest.fail("the lock was had twice")


class Time:
    """A clock that goes on by being waited for."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        """Return the time now."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Wait, in no time at all."""
        self.pauses.append(seconds)
        self.now += seconds


def test_waits_no_longer_than_it_may(tmp_path: Path, warnings: list[str]) -> None:
    """The last pause ends when the time is up."""
    time = Time()
    path = tmp_path / "a.lock"
    with (
        lock(path, "it", 0, warnings.append),
        pytest.raises(LockHeldError),
        lock(path, "it", 1.25, warnings.append, clock=time.clock, sleep=time.sleep),
    ):
        pytest.fail("the lock was had twice")
    assert sum(time.pauses) == pytest.approx(1.25)
    assert max(time.pauses) <= 0.1


def test_gets_it_when_the_holder_is_done(tmp_path: Path, warnings: list[str]) -> None:
    """Waiting ends as soon as the lock is free."""
    path = tmp_path / "a.lock"
    holding = lock(path, "it", 0, warnings.append)
    holding.__enter__()
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        holding.__exit__(None, None, None)

    with lock(path, "it", 30, warnings.append, sleep=sleep):
        assert len(pauses) == 1


def test_a_holder_that_left_no_name(tmp_path: Path, warnings: list[str]) -> None:
    """A lock file with nonsense in it says at least that there is another."""
    path = tmp_path / "a.lock"
    with lock(path, "it", 0, warnings.append):
        path.write_text("nonsense")
        with (
            pytest.raises(LockHeldError, match="another rotator holds it"),
            lock(path, "it", 0, warnings.append),
        ):
            pytest.fail("the lock was had twice")


def test_makes_its_directory_for_its_owner_alone(tmp_path: Path, warnings: list[str]) -> None:
    """The state directory and the lock file are nobody else's to read."""
    with daemon_lock(tmp_path / "a" / "state", warnings.append):
        assert stat.S_IMODE((tmp_path / "a" / "state").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "a" / "state" / "daemon.lock").stat().st_mode) == 0o600


def test_run_as_root_the_file_is_the_directorys_owners(tmp_path: Path, warnings: list[str]) -> None:
    """The service can take the lock afterwards."""
    if os.geteuid():
        missing("root", "sudo make test")
    os.chown(tmp_path, 12345, 54321)
    with daemon_lock(tmp_path, warnings.append):
        status = (tmp_path / "daemon.lock").stat()
    assert (status.st_uid, status.st_gid) == (12345, 54321)


def test_without_a_directory_to_write_it_goes_on(tmp_path: Path, warnings: list[str]) -> None:
    """One warning that says which lock is not there, and the work is done."""
    (tmp_path / "file").write_text("no directory")
    done = []
    with cycle_lock(tmp_path / "file", "dind", 0, warnings.append):
        done.append(True)
    assert done
    assert len(warnings) == 1
    assert "the lock of rotation dind cannot be had" in warnings[0]


@pytest.mark.parametrize("call", ["flock", "fchown"])
def test_a_file_system_without_locks_or_owners(
    tmp_path: Path, warnings: list[str], call: str
) -> None:
    """Where the system refuses, a warning; and no file stays open."""
    with failing(call, errno.ENOLCK), daemon_lock(tmp_path, warnings.append):
        pass
    assert len(warnings) == 1
    assert not [path for path in open_files() if path.startswith(str(tmp_path))]


def test_a_full_disk_is_no_obstacle(tmp_path: Path, warnings: list[str]) -> None:
    """Who holds it can't be written down, but it is held."""
    with (
        failing("pwrite", errno.ENOSPC),
        daemon_lock(tmp_path, warnings.append),
        pytest.raises(LockHeldError, match="another rotator holds"),
        daemon_lock(tmp_path, warnings.append),
    ):
        pytest.fail("the lock was had twice")
    assert warnings == []


def test_what_the_block_raises_goes_through(tmp_path: Path, warnings: list[str]) -> None:
    """An error of the work, even the system's, is not taken for the lock's."""
    with pytest.raises(OSError, match="mine"), daemon_lock(tmp_path, warnings.append):
        raise OSError("mine")
    assert warnings == []
    with daemon_lock(tmp_path, warnings.append):
        pass


def test_daemon(tmp_path: Path, warnings: list[str]) -> None:
    """It runs while it holds its lock; a lock file that is left tells nothing."""
    state = tmp_path / "state"
    assert daemon_runs(state) is False
    with daemon_lock(state, warnings.append):
        assert daemon_runs(state) is True
        assert daemon_runs(state) is True
    assert (state / "daemon.lock").exists()
    assert daemon_runs(state) is False
    with daemon_lock(state, warnings.append):
        assert warnings == []
    with cycle_lock(state, "dind", 0, warnings.append):
        assert (cycle_runs(state, "dind"), cycle_runs(state, "other")) == (True, False)


def test_two_who_look_see_no_daemon(tmp_path: Path) -> None:
    """The look itself is not taken for a daemon."""
    file = tmp_path / "daemon.lock"
    file.touch()
    with file.open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert daemon_runs(tmp_path) is False


def test_not_known(tmp_path: Path) -> None:
    """Where the lock can't be looked at, that is the answer."""
    (tmp_path / "daemon.lock").symlink_to("elsewhere")
    assert daemon_runs(tmp_path) is None
