"""The daemon in this process: real timers, files and locks; signals are the end-to-end tests'."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import structlog
import yaml
from msgspec.structs import replace

from rotator.app import utc_now
from rotator.config.load import load
from rotator.daemon import Daemon
from rotator.slots import Runtime
from rotator.system.lock import cycle_lock, target_hangs
from rotator.system.process import Notify, steady_seconds
from tests.fakes.credential_helper import answer, install
from tests.support import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rotator.app import Runner
    from rotator.config.schema import Configuration

HOST = "registry.example.com"


class Manager(Notify):
    """A service manager that remembers what it was told."""

    def __init__(self) -> None:
        super().__init__({})
        self.reported: list[str] = []

    def _send(self, text: str) -> None:
        self.reported.append(text)


class Place:
    """A daemon with rotations from a credential helper to a file, and what it may be made to do.

    The helper of each rotation hangs while there is a pipe named after it in `gates`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self.gates = folder / "gates"
        self.gates.mkdir()
        (folder / "docker").mkdir(mode=0o700)
        self.rotations: dict[str, dict[str, Any]] = {}
        self.more: dict[str, Any] = {}
        self.manager = Manager()
        self.log = structlog.testing.LogCapture()
        self.step = timedelta(0)
        self.heard: list[Callable[[Any], None]] = []
        self.fails: Exception | None = None
        self.add("one")

    def add(self, name: str, **settings: Any) -> None:
        """Add a rotation to the configuration, or change one."""
        gate = self.gates / name
        wait = f"if [ -p {gate} ]; then cat {gate}; fi"
        install(self.folder / "bin", name, f"echo {name} >>{self.calls}; {wait}; {answer(name)}")
        source = {"type": "credential_helper", "helper": name, "registries": [HOST]}
        self.rotations[name] = {
            "name": name,
            "prove": "off",
            "schedule": {"poll": "1s"},
            "sources": [{**source, "lifetime": "12h", "timeout": "50s"}],
            "targets": [{"type": "file", "path": str(self.file(name))}],
            **settings,
        }

    def file(self, name: str = "one") -> Path:
        """Return the file that a rotation writes."""
        return self.folder / "docker" / f"{name}.json"

    def hang(self, name: str = "one") -> None:
        """Let a rotation's helper hang."""
        os.mkfifo(self.gates / name)

    def go_on(self, name: str = "one") -> None:
        """Let it go on, or not begin to hang."""
        gate = self.gates / name
        # Opened both ways, a pipe waits for nobody, and whoever waits to read it does no longer.
        opened = os.open(gate, os.O_RDWR)
        gate.unlink()
        os.close(opened)

    def called(self) -> list[str]:
        """Return whose helper was called, in order."""
        return self.calls.read_text().split() if self.calls.exists() else []

    def load(self) -> Configuration:
        """Read the configuration as it is now."""
        if self.fails:
            raise self.fails
        file = self.folder / "rotator.yaml"
        document = {"version": 1, "state_dir": str(self.folder / "state"), **self.more}
        file.write_text(yaml.safe_dump({**document, "rotations": list(self.rotations.values())}))
        return load(file, {})

    def reload(self, daemon: Daemon) -> None:
        """Have the daemon read it, and wait until it has."""
        before = len(self.events("configuration reloaded"))
        daemon.reload()
        until(lambda: len(self.events("configuration reloaded")) > before, what="the reload")

    def events(self, name: str) -> list[Any]:
        """Return what was logged under this name."""
        return [entry for entry in tuple(self.log.entries) if entry["event"] == name]

    @contextmanager
    def daemon(self) -> Iterator[Daemon]:
        """Run a daemon for the length of the block."""
        runtime = Runtime(
            structlog.wrap_logger(None, processors=[self.log]),
            self.manager,
            lambda: utc_now() + self.step,
            steady_seconds,
            self.heard,
        )
        daemon = Daemon(self.load, runtime)
        thread = threading.Thread(target=daemon.serve, daemon=True)
        thread.start()
        try:
            yield daemon
        finally:
            # First: a daemon whose cycles don't end in time ends its process, which is this one.
            gates = tuple(self.gates.iterdir())
            for gate in gates:
                self.go_on(gate.name)
            if gates:
                until(lambda: not any(slot.running for slot in daemon.slots), 60, "the cycles")
            daemon.stop()
            thread.join(20)
            assert not thread.is_alive()

    def ready(self) -> None:
        """Wait until the start has ended."""
        until(lambda: "READY=1" in self.manager.reported, what="READY=1")

    def published(self, name: str = "one") -> bool:
        """Tell whether a rotation's file holds its login."""
        file = self.file(name)
        return file.exists() and HOST in json.loads(file.read_text() or "{}").get("auths", {})


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place where everything works."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return Place(tmp_path)


def slot_runner(daemon: Daemon, name: str = "one") -> Runner:
    """Return what runs a rotation's cycles now."""
    return next(slot.runner for slot in daemon.slots if slot.settings.name == name)


def idle(daemon: Daemon) -> bool:
    """Tell whether every rotation waits for its timer."""
    return all(slot.armed and not slot.running for slot in daemon.slots)


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
        # Nothing that waits for a lock keeps the daemon from ending.


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
