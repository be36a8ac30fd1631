"""The `gitlab_variable` target on the suite's bench: a group's variable in a GitLab that obeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.config.targets import GitlabVariableTargetSettings
from rotator.core.errors import Reason
from rotator.core.model import Secret
from rotator.targets.gitlab_variable import GitlabVariableTarget
from tests.fakes.gitlab import Answer, FakeGitlab
from tests.fakes.gitlab_access import DEVELOPER, OWNER, Variable
from tests.support import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rotator.core.model import Policy
    from tests.contract.benches import Trouble

GROUP = "platform/runners"
KEY = "DOCKER_AUTH_CONFIG"
TIMEOUTS = (2.0, 1.5)
"""Seconds to connect and to read: long for loopback, short for the test of a silent server."""


class GitlabVariableBench:
    """One group, one Owner's token, one variable."""

    def __init__(self, server: FakeGitlab, folder: Path) -> None:
        self._server = server
        self._space = server.add_group(GROUP)
        self._token = server.add_token({GROUP: OWNER})
        self._file = folder / "gitlab-token"
        self._file.write_text(self._token.text)
        self._puts = 0
        self.secrets = (Secret(self._token.text),)

    def target(self, policy: Policy) -> GitlabVariableTarget:
        """Build the driver anew."""
        settings = GitlabVariableTargetSettings(
            url=self._server.url, group=GROUP, token_file=self._file
        )
        return GitlabVariableTarget(settings, policy, lambda: NOW, TIMEOUTS)

    def raw(self) -> str | None:
        """Return the variable's value as a job gets it."""
        return self._server.effective(f"{GROUP}/any", KEY)

    def put(self, text: str) -> None:
        """Let a person put this into the variable, by hand and without description."""
        self._puts += 1
        self._space.variables[:] = [Variable(KEY, text, raw=True)]

    def writes(self) -> int:
        """Return how often the variable was written, by hand or over HTTP."""
        return self._puts + self._server.count("POST") + self._server.count("PUT")

    def troubles(self) -> Mapping[str, Trouble]:
        """Return what can go wrong here."""
        server = self._server
        page = Answer(200, b"<html>Sign in</html>", {"Content-Type": "text/html"})
        down = Answer.of(503, {"message": "503 Service Unavailable"})
        return {
            "denied": (self._demote, Reason.FORBIDDEN, False),
            "missing": (self._remove, Reason.NOT_FOUND, False),
            "unreachable": (server.stop, Reason.UNREACHABLE, True),
            "slow": (lambda: setattr(server, "silent", True), Reason.TIMEOUT, True),
            "token revoked": (
                lambda: setattr(self._token, "revoked", True),
                Reason.LOGIN_REJECTED,
                False,
            ),
            "throttled": (lambda: server.throttle("30"), Reason.THROTTLED, True),
            "down": (lambda: setattr(server, "failing", down), Reason.UNAVAILABLE, True),
            "login page": (lambda: setattr(server, "failing", page), Reason.MALFORMED, False),
        }

    def _demote(self) -> None:
        self._token.roles[GROUP] = DEVELOPER

    def _remove(self) -> None:
        self._token.roles.clear()


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GitlabVariableBench]:
    """Give a fresh GitLab."""
    with FakeGitlab() as server:
        yield GitlabVariableBench(server, tmp_path)
