"""A rotation from a real OpenBao, as `check` looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.checks.described import file_target, look, rotation

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.inspection import Finding
    from tests.fakes.registry import BasicRegistry
    from tests.servers.openbao import OpenBao

JSON, HTML = {"Content-Type": "application/json"}, {"Content-Type": "text/html"}


class Rig:
    """A rotation from one Vault to one file; `settings` may be changed before a look."""

    def __init__(self, place: Path, server: OpenBao, registry: BasicRegistry, path: str) -> None:
        self.place, self.server = place, server
        self.file = place / "vault-token"
        self.settings: dict[str, Any] = {
            "type": "vault",
            "address": server.url,
            "auth": {"method": "token", "token_file": str(self.file)},
            "path": path,
            "registry": registry.host,
        }

    def look(self, *, consume: bool = False) -> list[Finding]:
        """Return what is found about the source."""
        one = rotation([self.settings], [file_target(self.place)])
        found = look(self.place, one, consume=consume)
        return [finding for finding in found if finding.about == "vault"]

    def give(self, token: str) -> None:
        """Write the login token."""
        self.file.write_text(token)

    def tokens(self) -> set[str]:
        """Return the accessors of every token that there is."""
        listed = self.server.api("LIST", "auth/token/accessors")
        return set(listed["data"]["keys"])
