"""SIGHUP: the configuration is read again while cycles run."""

from __future__ import annotations

import base64
import json

import pytest

from tests.fakes.credential_helper import answer, install
from tests.support import until
from tests.unit.daemon.place import HOST, Place, idle, slot_runner


def test_a_storm_of_reloads_changes_nothing(place: Place) -> None:
    """Reading the same configuration again keeps every rotation, its schedule and its memory."""
    place.rotations["one"]["schedule"] = {"poll": "1h"}
    # A file that is new is noticed by the watch, too, and brings another cycle.
    place.file().write_text("{}")
    place.file().chmod(0o600)
    with place.daemon() as daemon:
        place.ready()
        until(lambda: idle(daemon), what="the timer")
        runner, armed = slot_runner(daemon), daemon.slots[0].armed
        for _ in range(100):
            daemon.reload()
        place.reload(daemon)
        assert (slot_runner(daemon), daemon.slots[0].armed) == (runner, armed)
    assert place.called() == ["one"]


def test_a_reload_before_the_start_has_ended(place: Place) -> None:
    """It is no READY: a manager would take the first cycles for done."""
    place.hang()
    with place.daemon() as daemon:
        until(place.called, what="the fetch")
        place.reload(daemon)
        assert "READY=1" not in place.manager.reported
        place.go_on()
        place.ready()


@pytest.mark.parametrize("how", ["changed", "renamed", "removed", "paused"])
def test_a_reload_while_its_cycle_runs(place: Place, how: str) -> None:
    """The cycle goes on to its end, nothing comes after it but what is configured now."""
    place.add("two")
    place.hang()
    with place.daemon() as daemon:
        until(lambda: "one" in place.called(), what="the fetch")
        old = slot_runner(daemon)
        if how == "renamed":
            place.rotations["one"]["name"] = "three"
        elif how == "removed":
            del place.rotations["one"]
        elif how == "changed":
            place.rotations["one"]["longest_job"] = "2h"
        else:
            place.rotations["one"]["enabled"] = False
        place.reload(daemon)
        place.go_on()
        until(lambda: place.published("one"), what="the end of the old cycle")
        until(old.release, what="its lock")
        place.file().unlink()
        if how in {"changed", "renamed"}:
            until(lambda: place.published("one"), what="the new rotation to repair it")
        else:
            cycles = daemon.slots[-1].record.ended_at
            until(lambda: daemon.slots[-1].record.ended_at != cycles, what="cycles of the other")
            assert not place.file().exists()
    assert not place.events("cycle failed")


def test_a_source_that_is_configured_in_another_way_is_asked_at_once(place: Place) -> None:
    """What is published comes from elsewhere, however long it lasts. A restart changes nothing."""
    place.rotations["one"]["schedule"] = {"poll": "1h"}
    with place.daemon():
        until(lambda: place.published("one"), what="the file")
    install(place.folder / "bin", "two", f"echo two >>{place.calls}; {answer('other')}")
    place.rotations["one"]["sources"][0]["helper"] = "two"
    with place.daemon() as daemon:
        until(lambda: "two" in place.called(), what="the other helper")
        until(lambda: idle(daemon), what="the timer")
        place.rotations["one"]["sources"][0]["helper"] = "one"
        place.reload(daemon)
        until(lambda: place.called() == ["one", "two", "one"], what="the first helper again")
        until(lambda: idle(daemon), what="the timer")
    with place.daemon() as daemon:
        until(lambda: idle(daemon), what="the timer")
    assert place.called() == ["one", "two", "one"]
    login = json.loads(place.file().read_text())["auths"][HOST]["auth"]
    assert base64.b64decode(login).startswith(b"one:")


def test_pause_and_back(place: Place) -> None:
    """While paused nothing is written; afterwards it is, from memory, without a fetch."""
    place.add("two")
    with place.daemon() as daemon:
        place.ready()
        place.rotations["one"]["enabled"] = False
        place.reload(daemon)
        until(lambda: daemon.slots[0].report, what="the pause")
        place.file().write_text("{}")
        seen = daemon.slots[1].record.ended_at
        until(lambda: daemon.slots[1].record.ended_at != seen, what="cycles of the other")
        assert place.file().read_text() == "{}"
        assert daemon.slots[0].armed is None
        place.rotations["one"]["enabled"] = True
        place.reload(daemon)
        until(place.published, what="the repair")
    assert sorted(place.called()) == ["one", "two"]


def test_a_bug_in_a_reload_ends_nothing(place: Place) -> None:
    """The old configuration goes on."""
    with place.daemon() as daemon:
        place.ready()
        place.fails = RuntimeError("a bug")
        daemon.reload()
        until(lambda: place.events("configuration not reloaded: this is a bug in rotator"))
        place.file().unlink()
        until(place.published, what="the repair")


def test_what_only_a_restart_changes(place: Place) -> None:
    """A new state directory is said and left alone: the daemon's lock is in the old one."""
    with place.daemon() as daemon:
        place.ready()
        place.more["state_dir"] = str(place.folder / "elsewhere")
        place.reload(daemon)
        assert place.events("changed, but counts from the next start on")[0]["keys"] == [
            "state_dir"
        ]
        assert daemon.configuration.state_dir == place.folder / "state"
