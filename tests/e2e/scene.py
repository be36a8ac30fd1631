"""A site where everything is real and short-lived: leases of 20 s, passwords that really expire.

OpenBao's RabbitMQ engine makes and removes users; the registry accepts exactly those.
"""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from rotator.core.record import Record
from tests.e2e.running import Daemon
from tests.servers.openbao import unique
from tests.support import missing, until

if TYPE_CHECKING:
    from contextlib import ExitStack
    from datetime import datetime
    from pathlib import Path

    from tests.fakes.rabbitmq import RabbitMq
    from tests.fakes.registry import BasicRegistry
    from tests.servers.lasting_openbao import LastingOpenBao

LONGEST_JOB = 5


@dataclass
class Scene:
    """One rotation from a Vault to a file, and the daemon that keeps it; `write` as in `Site`.

    `filled`: the file is on a disk so small that a test can fill it. `lease` and `login`: how long
    credentials and login tokens live. `more`: settings of the source.
    """

    place: Path
    bao: LastingOpenBao
    rabbit: RabbitMq
    registry: BasicRegistry
    stack: ExitStack
    filled: bool = False
    renew_after: str = "10%"
    poll: str = "1s"
    longest_job: int = LONGEST_JOB
    lease: str = "20s"
    login: str = "60s"
    more: dict[str, str] = field(default_factory=dict)
    daemon: Daemon = field(init=False)

    def __post_init__(self) -> None:
        """Make the role, its login, and the directory of the file."""
        self.config = self.place / "rotator.yaml"
        self.file = self.place / "docker" / "config.json"
        self.file.parent.mkdir(mode=0o700)
        self._make_role()
        if self.filled:
            mount(self.file.parent, self.stack)

    def write(self) -> None:
        """Write the configuration."""
        source = {
            "type": "vault",
            "address": self.bao.url,
            "auth": self.auth,
            "path": self.path,
            "registry": self.registry.host,
            **self.more,
        }
        rotation = {
            "name": "scene",
            "longest_job": f"{self.longest_job}s",
            # Early, so that a fault of a few seconds meets a renewal.
            "schedule": {"poll": self.poll, "renew_after": self.renew_after},
            "sources": [source],
            "targets": [{"type": "file", "path": str(self.file)}],
        }
        state = str(self.place / "state")
        document = {"version": 1, "state_dir": state, "log": {"level": "debug"}}
        self.config.write_text(yaml.safe_dump({**document, "rotations": [rotation]}))

    def environ(self) -> dict[str, str]:
        """Return the environment that commands run in."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.place)}

    def start(self) -> None:
        """Start the daemon and wait until its first cycle has ended."""
        began = time.monotonic()
        self.begin()
        self.daemon.ready()
        self._start_took = time.monotonic() - began

    def begin(self) -> None:
        """Start the daemon."""
        self.daemon = Daemon(self).__enter__()

    def let_run(self, share: float) -> None:
        """Let the daemon run for a multiple of the time that a start takes."""
        assert self.daemon.process is not None
        with suppress(subprocess.TimeoutExpired):
            self.daemon.process.wait(share * self._start_took)
            raise AssertionError("the daemon ended by itself")

    def end(self) -> None:
        """Make sure that the daemon has ended."""
        self.daemon.__exit__()

    def record(self) -> Record:
        """Return what the journal says; nothing before the first cycle begins."""
        journal = self.place / "state" / "scene.json"
        return Record.parse(journal.read_text()) if journal.exists() else Record()

    def is_over(self) -> bool:
        """Tell whether the life of what was published has ended."""
        (known,) = self.record().credentials.values()
        end = known[0].expires_at
        return end is not None and end.timestamp() < time.time()

    def count(self, event: str) -> int:
        """Return how often something was logged, by this daemon or one before it."""
        return len(self.daemon.events(event))

    def failures(self) -> int:
        """Return how often the source has failed in a row."""
        failure = self.record().source("vault").failure
        return failure.count if failure is not None else 0

    def asked_at(self) -> datetime | None:
        """Return when the source was asked last."""
        return self.record().source("vault").attempted_at

    def until_renewed(self) -> None:
        """Wait until something was fetched and published that had not begun before this call."""
        began = time.time()

        def renewed() -> bool:
            record = self.record()
            done = record.source("vault").fetched_at, record.target(self._target).written_at
            return all(instant and instant.timestamp() > began for instant in done)

        until(renewed, 40, "a renewal")

    def revoke_login(self) -> None:
        """End the login tokens of rotator, and with them what was leased with these."""
        before = set(self.rabbit.users)
        accessors = self.bao.api("LIST", "auth/token/accessors")["data"]["keys"]
        for accessor in accessors:
            body = {"accessor": accessor}
            try:
                data = self.bao.api("POST", "auth/token/lookup-accessor", body)["data"]
            except AssertionError:  # it has just ended
                continue
            if data["path"].startswith(f"auth/{self.auth['mount']}/"):
                self.bao.api("POST", "auth/token/revoke-accessor", body)
        until(lambda: not before & set(self.rabbit.users), 10, "the users to go")

    @property
    def _target(self) -> str:
        return f"file:{self.file}"

    def _make_role(self) -> None:
        bao = self.bao
        mount = bao.enable_engine("rabbitmq")
        connection = {
            "connection_uri": self.rabbit.url,
            "username": "admin",
            "password": "s3cr3t-admin",
            "verify_connection": False,
        }
        bao.api("POST", f"{mount}/config/connection", connection)
        max_ttl = "50s" if self.lease == "20s" else "3h"
        bao.api("POST", f"{mount}/config/lease", {"ttl": self.lease, "max_ttl": max_ttl})
        bao.api("POST", f"{mount}/roles/ci", {"vhosts": '{"/": {"read": ".*"}}'})
        self.path = f"{mount}/creds/ci"
        policy = bao.policy(
            f'path "{self.path}" {{ capabilities = ["read"] }}\n'
            'path "kv/*" { capabilities = ["read"] }\n'
            'path "sys/leases/revoke" { capabilities = ["update"] }'
        )
        login, role_id, secret_id = bao.approle(
            [policy], unique_auth(bao), token_ttl=self.login, token_max_ttl="1h"
        )
        file = self.place / "secret-id"
        file.write_text(secret_id)
        file.chmod(0o600)
        self.auth = {
            "method": "approle",
            "mount": login,
            "role_id": role_id,
            "secret_id_file": str(file),
        }


def unique_auth(bao: LastingOpenBao) -> str:
    """Mount the AppRole login under a name of its own."""
    return bao.enable_auth("approle", unique("approle"))


def mount(directory: Path, stack: ExitStack) -> None:
    """Mount a disk of a few pages on the directory, until the end of the stack."""
    command = ["mount", "-t", "tmpfs", "-o", "size=32k,mode=0700", "tmpfs", str(directory)]
    if subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode:
        missing("the right to mount a small disk", "sudo make test")
    stack.callback(lambda: subprocess.run(["umount", "--lazy", directory], check=True))
