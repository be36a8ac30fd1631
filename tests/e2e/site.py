"""A small site to run the installed command in: a Vault, an ECR endpoint, a registry and a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from rotator.core import docker_config
from tests.fakes.ecr import ACCESS_KEY, SECRET_KEY
from tests.servers.openbao import unique
from tests.support import MARKED

if TYPE_CHECKING:
    from tests.fakes.ecr import FakeEcr
    from tests.fakes.registry import BasicRegistry
    from tests.servers.openbao import OpenBao

PROGRAM = str(Path(sys.executable).with_name("rotator"))
USER = "robot$ci"
GUARD = Path(__file__).with_name("guard")
"""A folder for PYTHONPATH: a rotator that finds it there says what may crash it."""
UNGUARDED = "not under the lock of rotator/decoding.py"
"""How it says so."""


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """What it said of its first rotation."""
        document: dict[str, Any] = json.loads(self.out)
        first: dict[str, Any] = document["rotations"][0]
        return first

    @property
    def reasons(self) -> set[str]:
        """Every reason that it gave."""
        said = [*self.json["credentials"], *self.json["targets"]]
        return {one["reason"] for one in said if one["reason"]}


@dataclass
class Site:
    """One rotation from Vault and ECR to a file; change it, or add `others`, before a run.

    `top`: what the configuration has beside its rotations.
    """

    place: Path
    bao: OpenBao
    ecr: FakeEcr
    registry: BasicRegistry
    path: str = field(default_factory=lambda: f"secret/data/{unique('site')}/harbor")
    password: str = f"{MARKED}harbor-1"
    environment: dict[str, str] = field(default_factory=dict)
    others: list[dict[str, Any]] = field(default_factory=list)
    top: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put a password into Vault and into the registry, and write the configuration."""
        self.config = self.place / "rotator.yaml"
        self.file = self.place / "docker" / "config.json"
        self.file.parent.mkdir(mode=0o700)
        self.token = self.place / "vault-token"
        policy = self.bao.policy(f'path "{self.path}" {{ capabilities = ["read"] }}')
        self.token.write_text(self.bao.token(policy))
        self.token.chmod(0o600)
        self.put(self.password)
        self.vault: dict[str, Any] = {
            "type": "vault",
            "address": self.bao.url,
            "auth": {"method": "token", "token_file": "vault-token"},
            "path": self.path.replace("/data/", "/"),
            "registry": self.registry.host,
        }
        self.aws: dict[str, Any] = {
            "type": "ecr",
            "region": "eu-west-1",
            "endpoint_url": self.ecr.url,
        }
        self.target: dict[str, Any] = {"type": "file", "path": str(self.file)}
        self.rotation: dict[str, Any] = {"name": "site", "sources": [self.vault, self.aws]}

    def put(self, password: str, **more: object) -> None:
        """Rotate: a new password in the registry and in Vault."""
        self.password = password
        self.registry.passwords[USER] = password
        self.bao.put(self.path, {"username": USER, "password": password, **more})

    def write(self) -> None:
        """Write the configuration as it is now."""
        rotation = {"targets": [self.target], **self.rotation}
        state = str(self.place / "state")
        rotations = [rotation, *self.others]
        document = {"version": 1, "state_dir": state, **self.top, "rotations": rotations}
        self.config.write_text(yaml.safe_dump(document))

    def run(self, *words: str, as_json: bool = True) -> Result:
        """Run `rotator run-once` as a user would."""
        self.write()
        return self.command("run-once", *(["--json"] if as_json else []), *words)

    def command(self, *words: str, given: str = "") -> Result:
        """Run any command of rotator with the site's configuration; `given`: standard input."""
        done = subprocess.run(
            [PROGRAM, "--config", self.config, *words],
            env=self.environ(),
            input=given,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert MARKED not in done.stdout + done.stderr, "a secret was printed"
        assert UNGUARDED not in done.stderr, done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    def environ(self) -> dict[str, str]:
        """Return the environment that commands run in."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.place),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONPATH": str(GUARD),
            **self.environment,
        }

    def published(self) -> dict[str, tuple[str, str]]:
        """Return user and password of each registry in the file."""
        logins = docker_config.decode(self.file.read_text()).logins()
        return {name: (user, secret.reveal()) for name, (user, secret) in logins.items()}
