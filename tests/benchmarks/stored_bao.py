"""A real OpenBao that keeps what it holds over a restart, and writes down each request."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import requests

from tests.servers.openbao import bao_program
from tests.support import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_CONFIG = """\
storage "raft" {{
  path = "{place}/raft"
  node_id = "one"
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{other}"
audit "file" "requests" {{
  options {{ file_path = "{place}/audit.log" }}
}}
"""


class StoredBao:
    """A server of one node with its storage on the disk. A context manager."""

    def __init__(self, place: Path) -> None:
        self._place = place
        (place / "raft").mkdir(parents=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        text = _CONFIG.format(place=place, port=port, other=free_port())
        (place / "server.hcl").write_text(text)
        self._process: subprocess.Popen[bytes] | None = None
        self._key = self.root = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, unseal it, and wait until it serves; the first start makes its keys."""
        with (self._place / "server.log").open("ab") as log:
            command = [bao_program(), "server", f"-config={self._place / 'server.hcl'}"]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        until(lambda: self._health() in (501, 503), 30, "OpenBao to start")
        if not self._key:
            made = self.api("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            self._key, self.root = made["keys"][0], made["root_token"]
        self.api("PUT", "sys/unseal", {"key": self._key})
        until(lambda: self._health() == 200, 30, "OpenBao to be unsealed")

    def stop(self) -> None:
        """End it; what it holds stays."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def api(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call the API as root; `path` has no `v1/` in front."""
        headers = {"X-Vault-Token": self.root}
        answer = requests.request(
            method, f"{self.url}/v1/{path}", json=body, headers=headers, timeout=15
        )
        answer.raise_for_status()
        document: dict[str, Any] = answer.json() if answer.content else {}
        return document

    def requests_of(self, role: str) -> Iterator[tuple[datetime, str]]:
        """Yield when each request of a role came, its logins included, and its path."""
        with (self._place / "audit.log").open() as lines:
            for line in lines:
                entry = json.loads(line)
                path = entry["request"]["path"]
                own = entry.get("auth", {}).get("metadata", {}).get("role_name") == role
                if entry["type"] == "request" and (own or path == "auth/approle/login"):
                    yield datetime.fromisoformat(entry["time"][:26] + "+00:00"), path

    def _health(self) -> int:
        with suppress(requests.RequestException):
            return requests.get(f"{self.url}/v1/sys/health", timeout=2).status_code
        return 0


def now() -> datetime:
    """Return the time, as the audit log writes it."""
    return datetime.now(UTC)
