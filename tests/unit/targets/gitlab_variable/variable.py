"""The variable that the tests write, and what is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.core.model import Mark, Secret
from tests.support import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.targets.gitlab_variable import GitlabVariableTarget
    from tests.fakes.gitlab import FakeGitlab
    from tests.fakes.gitlab_access import Variable

    Make = Callable[..., GitlabVariableTarget]

GROUP = "platform/runners"

PROJECT = "platform/runners/app"

KEY = "DOCKER_AUTH_CONFIG"

DOCUMENT = Secret('{"auths":{"registry.example.com":{"auth":"czNjcjN0LW9uZQ=="}}}')

NEWER = Secret('{"auths":{"registry.example.com":{"auth":"czNjcjN0LXR3bw=="}}}')

MARK = Mark({"registry.example.com": NOW}, "hmac:3f9a2c41d7e0", "dind")


def only(server: FakeGitlab, path: str = GROUP) -> Variable:
    """Return the one variable that is there."""
    (variable,) = server.space(path).variables
    return variable
