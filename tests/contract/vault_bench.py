"""The `vault` source on the bench: a KV 2 secret in a real OpenBao, behind a door."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.config.sources import VaultSourceSettings
from rotator.core.errors import Reason
from rotator.core.model import Secret
from rotator.sources.vault import VaultSource
from rotator.vault.session import open_session
from tests.fakes.vault_door import VaultDoor, refusal
from tests.servers.openbao import OpenBao, unique
from tests.support import NOW, made

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.contract.benches import Trouble

REGISTRY = "registry.example.com"
PASSWORD = "s3cr3t-harbor-password"


class VaultBench:
    """One secret, an AppRole login that may read it, and a door to the server."""

    def __init__(self, server: OpenBao, door: VaultDoor, folder: Path) -> None:
        self.server = server
        self.door = door
        self.secret = f"registries/{unique('harbor')}"
        self._write({"username": "robot", "password": PASSWORD})
        self.policy = server.policy(self._policy())
        self.mount, self.role_id, secret_id = server.approle([self.policy])
        self.secret_id_file = folder / "secret-id"
        self.secret_id_file.write_text(secret_id)
        self.secrets = (Secret(secret_id), Secret(PASSWORD))

    def source(self) -> VaultSource:
        """Build the driver anew, with short timeouts."""
        settings = made(
            VaultSourceSettings,
            name="vault",
            address=self.door.url,
            auth={
                "method": "approle",
                "mount": self.mount,
                "role_id": self.role_id,
                "secret_id_file": str(self.secret_id_file),
            },
            path=f"secret/{self.secret}",
            registry=REGISTRY,
        )
        session = open_session(settings, lambda: NOW, 0, (1.0, 0.5))
        return VaultSource(settings, lambda: NOW, session)

    def registries(self) -> frozenset[str]:
        """Return the one registry."""
        return frozenset({REGISTRY})

    def calls(self) -> int:
        """Return how often the secret itself was asked for."""
        return self.door.asked("GET", f"secret/data/{self.secret}")

    def troubles(self) -> Mapping[str, Trouble]:
        """Return what can go wrong."""
        data, metadata = f"secret/data/{self.secret}", f"secret/metadata/{self.secret}"
        destroy = f"secret/destroy/{self.secret}"
        throttled = refusal(429, "request path: rate limit quota exceeded")
        return {
            "denied": (lambda: self._allow("deny"), Reason.FORBIDDEN, False),
            "missing": (lambda: self._api("DELETE", metadata), Reason.NOT_FOUND, False),
            "deleted": (lambda: self._api("DELETE", data), Reason.DELETED, False),
            "destroyed": (lambda: self._api("PUT", destroy), Reason.DELETED, False),
            "unreachable": (self.door.stop, Reason.UNREACHABLE, True),
            "slow": (self.door.slow, Reason.TIMEOUT, True),
            "throttled": (lambda: self.door.rude.update({"": throttled}), Reason.THROTTLED, True),
            "sealed": (self._seal, Reason.UNAVAILABLE, True),
            "login": (self._spoil_login, Reason.LOGIN_REJECTED, False),
            "field gone": (lambda: self._write({"user": "robot"}), Reason.FIELD_MISSING, False),
            "no text": (
                lambda: self._write({"username": "robot", "password": 5}),
                Reason.MALFORMED,
                False,
            ),
        }

    def _policy(self, ability: str = "read") -> str:
        return f'path "secret/data/{self.secret}" {{ capabilities = ["{ability}"] }}'

    def _allow(self, ability: str) -> None:
        self.server.policy(self._policy(ability), self.policy)

    def _api(self, method: str, path: str) -> None:
        self.server.api(method, path, {"versions": [1]})

    def _write(self, data: Mapping[str, object]) -> None:
        self.server.put(f"secret/data/{self.secret}", data)

    def _seal(self) -> None:
        # A sealed server's own words; the server itself is shared.
        self.door.rude[""] = refusal(503, "Vault is sealed")

    def _spoil_login(self) -> None:
        self.secret_id_file.write_text("s3cr3t-another-secret-id")


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path, openbao: OpenBao) -> Iterator[VaultBench]:
    """Give a fresh secret behind a fresh door."""
    with VaultDoor(openbao.url) as door:
        yield VaultBench(openbao, door, tmp_path)
