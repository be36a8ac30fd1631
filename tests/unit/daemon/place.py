"""A daemon with rotations from a credential helper to a file."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
import yaml

from rotator.app import utc_now
from rotator.config.load import load
from rotator.daemon import Daemon
from rotator.slots import Runtime
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


def slot_runner(daemon: Daemon, name: str = "one") -> Runner:
    """Return what runs a rotation's cycles now."""
    return next(slot.runner for slot in daemon.slots if slot.settings.name == name)


def idle(daemon: Daemon) -> bool:
    """Tell whether every rotation waits for its timer."""
    return all(slot.armed and not slot.running for slot in daemon.slots)
