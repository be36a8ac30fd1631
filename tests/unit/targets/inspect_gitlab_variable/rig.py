"""A rotation to a group's variable, as `check` looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fakes.gitlab_access import OWNER, Namespace, Token, Variable
from tests.unit.checks.described import login_file, look, rotation

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.inspection import Finding
    from tests.fakes.gitlab import FakeGitlab

GROUP, KEY = "platform", "DOCKER_AUTH_CONFIG"


class Rig:
    """A rotation from a file to one variable of a group."""

    def __init__(self, place: Path, server: FakeGitlab) -> None:
        self.place, self.server = place, server
        self.group: Namespace = server.add_group(GROUP)
        self.give(server.add_token({GROUP: OWNER}))
        self.settings: dict[str, Any] = {
            "type": "gitlab_variable",
            "name": "variable",
            "url": server.url,
            "group": GROUP,
            "token_file": str(place / "gitlab-token"),
        }

    def give(self, token: Token) -> None:
        """Write the access token."""
        (self.place / "gitlab-token").write_text(token.text)

    def put(self, value: str = "{}", **fields: Any) -> Variable:
        """Let the group have the variable."""
        self.group.variables.append(Variable(KEY, value, **{"raw": True, "masked": True, **fields}))
        return self.group.variables[-1]

    def look(self) -> list[Finding]:
        """Return what is found about the variable."""
        found = look(self.place, rotation([login_file(self.place)], [self.settings]))
        return [finding for finding in found if finding.about == "variable"]
