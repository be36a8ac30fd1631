"""What hangs, fails or changes under the daemon ends nothing."""

from __future__ import annotations

import errno
import threading
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from rotator.app import utc_now
from rotator.system.lock import cycle_lock, target_hangs
from tests.support import until
from tests.unit.daemon.place import HOST, Place, idle, slot_runner


def test_somebody_else_holds_the_lock(place: Place) -> None:
    """It is said and tried again; the other rotations and the start don't wait for it."""
    place.add("two")
    with cycle_lock(place.folder / "state", "one", 0, pytest.fail), place.daemon() as daemon:
        until(lambda: place.published("two"), what="the other rotation")
        until(lambda: place.events("cycle put off"), what="the message")
        place.ready()
        assert not place.file().exists()
        slot = daemon.slots[0]
        until(lambda: slot.armed and slot.armed.next_at > utc_now(), what="the next try")


@pytest.mark.parametrize(
    "step", [timedelta(hours=-1), timedelta(minutes=20)], ids=["back", "forward"]
)
def test_a_clock_step(place: Place, step: timedelta) -> None:
    """A clock that was set wakes every rotation; one that went back fetches anew."""
    place.rotations["one"]["schedule"] = {"poll": "1h"}
    with place.daemon() as daemon:
        place.ready()
        until(lambda: idle(daemon), what="the timer")
        ended = daemon.slots[0].record.ended_at
        place.step = step
        daemon.reload()
        until(lambda: place.events("cycle begins early"), what="the cycle")
        until(lambda: daemon.slots[0].record.ended_at != ended, what="its end")
    back = step < timedelta(0)
    assert place.called() == ["one"] * (2 if back else 1)
    assert place.events("cycle begins early")[0]["why"] == f"clock_{'back' if back else 'forward'}"


def test_the_watchdog_is_fed_while_sources_hang(place: Place) -> None:
    """Slow is not stuck, however many are slow."""
    names = [f"r{number}" for number in range(80)]
    for name in names:
        place.add(name, longest_job="1h")
        place.hang(name)
    with place.daemon() as daemon:
        until(lambda: len(place.called()) == 81, 120, "every fetch")
        until(place.published, what="the one that does not hang")
        before = place.manager.reported.count("WATCHDOG=1")
        daemon.reload()
        until(lambda: place.manager.reported.count("WATCHDOG=1") > before, what="the watchdog")


def test_a_bug_in_one_cycle_ends_nothing(place: Place) -> None:
    """It is logged with its traceback, the start ends, and the others go on."""
    place.add("two")

    def hear(report: Any) -> None:
        if report.name == "one":
            raise RuntimeError("a bug")

    place.heard.append(hear)
    with place.daemon() as daemon:
        place.ready()
        until(lambda: place.events("cycle failed"), what="the message")
        until(lambda: place.published("two"), what="the other rotation")
        until(lambda: idle(daemon), what="both timers")


def test_a_hanging_write_keeps_the_lock_of_its_target(place: Place) -> None:
    """Until it returns nobody else may write there: it would be undone. All else goes on."""
    gate = threading.Event()
    with place.daemon() as daemon:
        place.ready()
        until(lambda: idle(daemon), what="the timer")
        runner = slot_runner(daemon)
        place.rotations["one"]["enabled"] = False
        place.reload(daemon)
        until(lambda: daemon.slots[0].report, what="the pause")
        state = place.folder / "state"
        with runner.hold(10):
            runner.each(lambda _: gate.wait(60), runner.rotation.sources, 0.01)
        with cycle_lock(state, "one", 0, pytest.fail):
            pass
        (target,) = runner.rotation.targets
        with runner.hold(10):
            runner.each(lambda _: gate.wait(60), [target], 0.01)
        with cycle_lock(state, "one", 0, pytest.fail):
            assert target_hangs(state, "one", target.name)
        with runner.hold(10):  # our own next cycle goes on, and leaves it alone
            assert not runner.release()
        gate.set()
        until(runner.release, what="the end of the call")
        assert target_hangs(state, "one", target.name) is None


def test_a_start_puts_off_what_is_overdue_where_jobs_are_safe(place: Place) -> None:
    """Ten thousand hosts that come back together do not ask their sources together."""
    place.add("one", schedule={"poll": "1h"})
    with place.daemon() as daemon:
        until(place.published, what="the first login")
        until(lambda: daemon.slots and idle(daemon), what="the end of the cycle")
        journal = slot_runner(daemon).ports.journal
        record = journal.load()
    (known,) = record.credentials[HOST]
    overdue = replace(known, renew_at=utc_now() - timedelta(minutes=1))
    journal.save(replace(record, credentials={HOST: (overdue,)}))
    with place.daemon() as daemon:
        until(lambda: daemon.slots and daemon.slots[0].report and idle(daemon), what="the cycle")
    assert place.called() == ["one"]


def test_what_systemd_shows_names_the_configuration(place: Place) -> None:
    """`systemctl status` says which command to type, and for which file."""
    place.add("one", longest_job="48h")  # what its source gives does not live that long
    command = f"rotator --config {place.folder / 'rotator.yaml'} status"
    with place.daemon():
        place.ready()
        until(lambda: command in "".join(place.manager.reported), what="the status")


def test_a_log_that_raises_ends_nothing(place: Place) -> None:
    """The next cycle is set whatever becomes of the words about the last one."""
    with place.daemon() as daemon:
        until(place.published, what="the file")
        until(lambda: daemon.slots and idle(daemon), what="the timer")
        place.log.entries = Unwritable()
        for _ in range(3):
            place.file().unlink()
            until(place.published, what="the file to come back")
        place.log.entries = []


class Unwritable(list[Any]):
    """A log that takes nothing."""

    def append(self, _: Any) -> None:
        """Raise what a full disk does."""
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_rotation_without_a_next_cycle_is_no_life(place: Place) -> None:
    """The watchdog is fed, and `turned_at` moves, only while each has one or runs one."""
    place.add("one", schedule={"poll": "1h"})
    with place.daemon() as daemon:
        place.ready()
        until(lambda: idle(daemon), what="the timer")
        armed, daemon.slots[0].armed = daemon.slots[0].armed, None
        daemon.reload()
        until(lambda: place.events("configuration reloaded"), what="a round")
        turned_at = daemon.turned_at
        place.reload(daemon)
        assert daemon.turned_at == turned_at
        daemon.slots[0].armed = armed
        place.reload(daemon)
        until(lambda: daemon.turned_at > turned_at, what="the loop to turn")
