"""A daemon with a status page, in a place of its own: one docker config copied to another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from base64 import b64encode
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml

from tests.support import MARKED, free_port, until

if TYPE_CHECKING:
    from types import TracebackType

PROGRAM = str(Path(sys.executable).with_name("rotator"))
REGISTRY = "harbor.example.com"


@dataclass
class Watched:
    """The installed command as a daemon; change `configuration` and `write` it to change it."""

    place: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        """Write a source and the configuration."""
        self.source = self.place / "source" / "config.json"
        self.target = self.place / "target" / "config.json"
        self.metrics_file = self.place / "rotator.prom"
        self.source.parent.mkdir(mode=0o700)
        self.target.parent.mkdir(mode=0o700)
        self.put(f"{MARKED}1")
        self.configuration: dict[str, Any] = {
            "version": 1,
            "state_dir": str(self.place / "state"),
            "http": {"listen": f"127.0.0.1:{self.port}"},
            "metrics_file": str(self.metrics_file),
            "log": {"level": "debug"},
            "rotations": [
                {
                    "name": "dind",
                    "prove": "off",
                    "schedule": {"poll": "2s", "retry": {"initial": "1s", "max": "1s"}},
                    "sources": [{"type": "docker_config", "path": str(self.source)}],
                    "targets": [{"type": "file", "path": str(self.target)}],
                }
            ],
        }
        self.write()

    def put(self, password: str) -> None:
        """Let the source hold this password."""
        auth = b64encode(f"robot:{password}".encode()).decode()
        self.source.write_text(json.dumps({"auths": {REGISTRY: {"auth": auth}}}))
        self.source.chmod(0o600)

    def write(self) -> None:
        """Write the configuration as it is now."""
        (self.place / "rotator.yaml").write_text(yaml.safe_dump(self.configuration))

    def __enter__(self) -> Self:
        """Start the daemon, and wait until its first cycle has ended."""
        command = [PROGRAM, "--config", str(self.place / "rotator.yaml"), "run"]
        with (self.place / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, env=self._environment())
        until(self.is_up, what="the first cycle")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the daemon; no secret may be in its log."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        assert MARKED not in self.log

    @property
    def log(self) -> str:
        """What the daemon has logged."""
        return (self.place / "log").read_text()

    def is_up(self) -> bool:
        """Tell whether the daemon serves, and has had a cycle."""
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            return "rotator_cycles_total{" in self.get("/metrics")[1]
        except OSError:
            return False

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of an answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    def reload(self) -> None:
        """Ask the daemon to read its configuration again."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def command(self, *words: str, columns: int = 80) -> subprocess.CompletedProcess[str]:
        """Run another command of rotator beside the daemon."""
        return subprocess.run(
            [PROGRAM, "--config", str(self.place / "rotator.yaml"), *words],
            env={**self._environment(), "COLUMNS": str(columns)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.place)}
