"""A host with systemd for tests: rotator is installed and configured, and not started."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.support import MARKED

if TYPE_CHECKING:
    from tests.servers.systemd_machine import SystemdMachine

UNITS = Path(__file__).parents[2] / "systemd"
PUBLISHED = "/opt/.docker/config.json"
LOGIN = base64.b64encode(f"robot:{MARKED}extra".encode()).decode()
RUNNER = "[Service]\nType=exec\nExecStart=/bin/sleep infinity\n"
EXTRA = {"auths": {"extra.example.com": {"auth": LOGIN}}}


@dataclass
class Host:
    """The machine, with nothing of rotator running or published; change `rotation` and start."""

    machine: SystemdMachine
    rotation: dict[str, Any] = field(default_factory=dict)
    top: dict[str, Any] = field(default_factory=dict)
    """Keys beside the rotations."""

    def __post_init__(self) -> None:
        """Put everything back to how an installation leaves it, with a source that is a file."""
        self.file("/etc/systemd/system/gitlab-runner.service").write_text(RUNNER)
        timers = ("rotator-once.timer", "rotator.service", "rotator-once.service")
        self.run("systemctl", "stop", *timers, "gitlab-runner.service")
        self.run("sh", "-c", "rm -rf /etc/systemd/system/rotator*.d")
        self.run("rm", "-rf", "/run/go", "/etc/credstore", "/var/lib/rotator", "/opt/.docker")
        self.run("mkdir", "/etc/credstore")
        self.run("systemd-tmpfiles", "--create", "rotator.conf")
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "reset-failed")
        self.put("/etc/rotator/extra.json", json.dumps(EXTRA), owner="rotator")
        self.rotation = {
            "name": "host",
            "prove": "off",
            "schedule": {"poll": "1s"},
            "sources": [{"type": "docker_config", "path": "/etc/rotator/extra.json"}],
            "targets": [{"type": "file", "path": PUBLISHED}],
        }
        self.since = self.run("date", "+%F %T.%6N").strip()

    def run(self, *command: str, **how: Any) -> str:
        """Run a command on it as root, and return what it prints."""
        return self.machine.run(*command, **how)

    def file(self, path: str) -> Path:
        """Return where a file of the machine is for us."""
        return self.machine.root / path.removeprefix("/")

    def put(self, path: str, text: str, mode: int = 0o600, owner: str = "root") -> None:
        """Write a file on it."""
        self.file(path).write_text(text)
        self.file(path).chmod(mode)
        self.run("chown", f"{owner}:", path)

    def configure(self) -> None:
        """Write the configuration as it is now."""
        document = {"version": 1, **self.top, "rotations": [self.rotation]}
        self.put("/etc/rotator/rotator.yaml", yaml.safe_dump(document), mode=0o644)
        # The generator reads from it which secrets the units load.
        self.run("systemctl", "daemon-reload")

    def drop_in(self, text: str, unit: str = "rotator.service") -> None:
        """Change a unit as an administrator does."""
        folder = f"/etc/systemd/system/{unit}.d"
        self.run("mkdir", "-p", folder)
        self.put(f"{folder}/test.conf", text, mode=0o644)
        self.run("systemctl", "daemon-reload")

    def start(self, unit: str = "rotator") -> None:
        """Start a unit and wait for systemd to say that it is up."""
        self.configure()
        code, said = self.machine.attempt("systemctl", "start", unit)
        assert code == 0, said + self.journal()

    def show(self, key: str, unit: str = "rotator") -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", key, unit).strip()

    def journal(self, *words: str) -> str:
        """Return what the journal got since the test began."""
        self.run("journalctl", "--sync")
        text = self.run("journalctl", "--output=cat", "--no-pager", f"--since={self.since}", *words)
        assert MARKED not in text, "a secret is in the journal"
        return text

    def events(self, name: str, unit: str = "rotator") -> list[dict[str, Any]]:
        """Return the events with this name that rotator logged, as the journal has them."""
        lines = self.journal(f"--unit={unit}", "--output=json", f"ROTATOR_EVENT={name}")
        return [json.loads(line) for line in lines.splitlines()]

    def published(self) -> dict[str, str]:
        """Return the password of each registry in the file."""
        auths = json.loads(self.file(PUBLISHED).read_text())["auths"]
        decoded = {name: base64.b64decode(entry["auth"]).decode() for name, entry in auths.items()}
        return {name: login.partition(":")[2] for name, login in decoded.items()}

    def status_of(self, path: str) -> str:
        """Return owner, group and mode of a file."""
        return self.run("stat", "--format=%U:%G %a", path).strip()

    def facts(self) -> dict[str, str]:
        """Return what the kernel says of the daemon's process."""
        status = self.run("cat", f"/proc/{self.main_pid()}/status")
        return dict(line.split(":\t", 1) for line in status.splitlines())

    def tree(self) -> str:
        """Return what `systemctl status` shows, the processes among it."""
        return self.machine.attempt("systemctl", "status", "--no-pager", "rotator")[1]

    def kill(self, signal: str, pid: str) -> None:
        """Send a signal to a process of the machine."""
        self.run("sh", "-c", f"kill -{signal} {pid}")

    def main_pid(self) -> str:
        """Return the daemon's process id on the machine."""
        return self.show("MainPID")
