"""A real OpenBao that keeps what it holds on disk: it survives `stop` and `start`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import requests

from tests.servers.openbao import OpenBao, bao_program
from tests.support import until

if TYPE_CHECKING:
    from pathlib import Path


class LastingOpenBao(OpenBao):
    """One server with integrated storage (raft), over plain HTTP; nothing is mounted in it."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._key = ""
        self._config = directory / "openbao.json"
        cluster = f"http://127.0.0.1:{self.port + 1}"
        data = directory / "data"
        data.mkdir(parents=True)
        # Without the multiplier it takes 9 s to become the leader.
        raft = {"path": str(data), "node_id": "one", "performance_multiplier": "1"}
        document = {
            "storage": {"raft": raft},
            "listener": {"tcp": {"address": f"127.0.0.1:{self.port}", "tls_disable": True}},
            "api_addr": self.url,
            "cluster_addr": cluster,
        }
        self._config.write_text(json.dumps(document))

    def start(self) -> None:
        """Start the server with what it held, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [bao_program(), "server", "-config", str(self._config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"HOME": str(self._directory), "PATH": os.environ.get("PATH", "")},
            )
        until(self._listens, 30, "OpenBao to listen")
        if not self._key:
            body = {"secret_shares": 1, "secret_threshold": 1}
            answer = self.api("PUT", "sys/init", body)
            self._key, self.root = answer["keys"][0], answer["root_token"]
        self.unseal()

    def unseal(self) -> None:
        """Undo `seal`, or go on after a start; nothing is lost."""
        self.api("PUT", "sys/unseal", {"key": self._key})
        until(self._is_active, 30, "OpenBao to be unsealed")

    def freeze(self) -> None:
        """Let it answer nothing until `thaw`; connections are taken all the same."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _is_active(self) -> bool:
        # Unsealed it is a standby at first, which answers no request that needs a login.
        try:
            return requests.get(f"{self.url}/v1/sys/health", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def _listens(self) -> bool:
        process = self._process
        if process is not None and process.poll() is not None:
            raise AssertionError(f"OpenBao ended: {self._log.read_text()[-2000:]}")
        try:
            requests.get(f"{self.url}/v1/sys/seal-status", timeout=5)
        except requests.RequestException:
            return False
        return True
