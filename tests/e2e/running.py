"""The installed `rotator run`, as systemd runs it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Protocol, Self

from tests.e2e.site import PROGRAM, UNGUARDED
from tests.support import MARKED, until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Configured(Protocol):
    """What a daemon is started in: a folder, and a configuration that `write` puts there."""

    place: Path
    config: Path

    def write(self) -> None:
        """Write the configuration as it is now."""

    def environ(self) -> dict[str, str]:
        """Return the environment that commands run in."""
        ...


class Daemon:
    """A running `rotator run`, what it logged, and what it told the service manager.

    `before`: a command that becomes it, such as `setpriv`.
    """

    def __init__(self, site: Configured, before: Sequence[str] = ()) -> None:
        self.site = site
        self.before = before
        self.log = site.place / "log"
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.address = site.place / "notify"
        self.manager.bind(str(self.address))
        self.manager.settimeout(0)
        self.reported: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        site = self.site
        site.write()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.before, PROGRAM, "--config", site.config, "run"],
                env={**site.environ(), "NOTIFY_SOCKET": str(self.address)},
                stdout=log,
                stderr=log,
            )
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.manager.close()
        self.address.unlink()
        log = self.log.read_text()
        assert MARKED not in log, "a secret was logged"
        assert UNGUARDED not in log, log

    def messages(self) -> list[str]:
        """Return everything that the service manager was told so far."""
        while True:
            try:
                self.reported.append(self.manager.recv(4096).decode())
            except BlockingIOError:
                return self.reported

    def events(self, name: str) -> list[dict[str, object]]:
        """Return the events with this name that were logged so far."""
        # The last line may be one that is being written.
        whole = self.log.read_text().rpartition("\n")[0].splitlines()
        lines = [json.loads(line) for line in whole if line[:1] == "{"]
        return [line for line in lines if line["event"] == name]

    def ready(self) -> None:
        """Wait until the service manager was told that the start has ended."""
        until(lambda: "READY=1" in self.messages(), 60, "READY=1")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def end(self) -> int:
        """Ask it to stop, and return its exit code."""
        assert self.process is not None
        self.signal(signal.SIGTERM)
        return self.process.wait(10)
