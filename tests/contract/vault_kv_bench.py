"""The `vault_kv` target on the bench: a KV 2 secret in a real OpenBao, behind a door."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.config.targets import VaultKvTargetSettings
from rotator.core.errors import Reason
from rotator.core.model import Secret
from rotator.targets.vault_kv import VaultKvTarget
from rotator.vault.session import open_session
from tests.fakes.vault_door import VaultDoor, refusal
from tests.servers.openbao import OpenBao, unique
from tests.support import NOW, made

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rotator.core.model import Policy
    from tests.contract.benches import Trouble


class VaultKvBench:
    """One secret's place, a token that may write it, and a door to the server."""

    def __init__(self, server: OpenBao, door: VaultDoor, folder: Path) -> None:
        self.server = server
        self.door = door
        self.path = f"fleet/{unique('docker')}"
        self.policy = server.policy(self._policy('"read", "create", "update"'))
        token = server.token(self.policy)
        self.token_file = folder / "vault-token"
        self.token_file.write_text(token)
        self.secrets = (Secret(token),)

    def target(self, policy: Policy) -> VaultKvTarget:
        """Build the driver anew, with short timeouts."""
        settings = made(
            VaultKvTargetSettings,
            name=f"vault_kv:secret/{self.path}",
            address=self.door.url,
            auth={"method": "token", "token_file": str(self.token_file)},
            path=f"secret/{self.path}",
        )
        return VaultKvTarget(settings, policy, open_session(settings, lambda: NOW, 0, (1.0, 0.5)))

    def raw(self) -> str | None:
        """Return the published field, read as root."""
        text = self.fields().get("config.json")
        return None if text is None else str(text)

    def fields(self) -> dict[str, object]:
        """Return every field of the secret."""
        try:
            answer = self.server.api("GET", f"secret/data/{self.path}")
        except AssertionError:
            return {}
        fields: dict[str, object] = answer["data"]["data"]
        return fields

    def put(self, text: str) -> None:
        """Let somebody else replace the secret."""
        self.server.put(f"secret/data/{self.path}", {"config.json": text})

    def writes(self) -> int:
        """Return the newest version's number: each write makes one."""
        try:
            answer = self.server.api("GET", f"secret/metadata/{self.path}")
        except AssertionError:
            return 0
        newest: int = answer["data"]["current_version"]
        return newest

    def troubles(self) -> Mapping[str, Trouble]:
        """Return what can go wrong; a missing secret is none, as the target makes it."""
        large = refusal(413, "http: request body too large")
        return {
            "denied": (lambda: self._allow('"deny"'), Reason.FORBIDDEN, False),
            "unreachable": (self.door.stop, Reason.UNREACHABLE, True),
            "slow": (self.door.slow, Reason.TIMEOUT, True),
            "sealed": (lambda: self._say(503, "Vault is sealed"), Reason.UNAVAILABLE, True),
            "throttled": (lambda: self._say(429, "quota exceeded"), Reason.THROTTLED, True),
            "too large": (lambda: self.door.rude.update({"": large}), Reason.TOO_LARGE, False),
            "login": (self._spoil_login, Reason.LOGIN_REJECTED, False),
        }

    def _policy(self, abilities: str) -> str:
        return f'path "secret/data/{self.path}" {{ capabilities = [{abilities}] }}'

    def _allow(self, abilities: str) -> None:
        self.server.policy(self._policy(abilities), self.policy)

    def _say(self, status: int, words: str) -> None:
        self.door.rude[""] = refusal(status, words)

    def _spoil_login(self) -> None:
        self.token_file.write_text("s3cr3t-another-token")


@pytest.fixture
def bench(
    request: pytest.FixtureRequest, tmp_path: Path, openbao: OpenBao
) -> Iterator[VaultKvBench]:
    """Give a fresh place behind a fresh door."""
    with VaultDoor(openbao.url) as door:
        yield VaultKvBench(openbao, door, tmp_path)
