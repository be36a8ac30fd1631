"""What the tests of the Vault source and target share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rotator.config.sources import VaultSourceSettings
from rotator.sources.vault import VaultSource
from rotator.vault.session import open_session
from tests.support import made

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.openbao import OpenBao

REGISTRY = "registry.example.com"


class SetClock:
    """A clock that a test sets: it starts now, because servers have a clock of their own."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        """Return the time that it shows."""
        return self.now

    def forward(self, **parts: float) -> None:
        """Let time pass, as `timedelta` has it."""
        self.now += timedelta(**parts)


def token_login(folder: Path, token: str) -> dict[str, str]:
    """Return the settings of a login with this token."""
    file = folder / "vault-token"
    file.write_text(token)
    return {"method": "token", "token_file": str(file)}


def vault_source(
    server: OpenBao | str,
    auth: dict[str, str],
    clock: Any = None,
    patience: float = 0,
    **settings: Any,
) -> VaultSource:
    """Return the source as the configuration would describe it; a path has to be among these.

    `patience`: for how many seconds it waits for quotas and standbys.
    """
    fields = {
        "name": "vault",
        "address": server if isinstance(server, str) else server.url,
        "auth": auth,
        **({} if "docker_config_field" in settings else {"registry": REGISTRY}),
        **settings,
    }
    made_settings, clock = made(VaultSourceSettings, **fields), clock or SetClock()
    session = open_session(made_settings, clock, patience, (5.0, 10.0))
    return VaultSource(made_settings, clock, session)
