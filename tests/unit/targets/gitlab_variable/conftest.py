"""A GitLab with a group and a project, and targets in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rotator.config.targets import GitlabVariableTargetSettings
from rotator.core.model import Policy
from rotator.targets.gitlab_variable import GitlabVariableTarget
from tests.fakes.gitlab_access import OWNER
from tests.support import NOW
from tests.unit.targets.gitlab_variable.variable import GROUP, PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.gitlab import FakeGitlab

    Make = Callable[..., GitlabVariableTarget]


@pytest.fixture
def make(fake_gitlab: FakeGitlab, tmp_path: Path) -> Make:
    """Build targets for a GitLab that has a group and a project."""
    fake_gitlab.add_project(PROJECT)
    token = tmp_path / "token"
    token.write_text(fake_gitlab.add_token({GROUP: OWNER}).text)

    def built(policy: Policy | None = None, **keys: Any) -> GitlabVariableTarget:
        keys = {"url": fake_gitlab.url, "token_file": token, **keys}
        if not keys.keys() & {"project", "instance"}:
            keys.setdefault("group", GROUP)
        policy = policy or Policy()
        settings = GitlabVariableTargetSettings(content=policy.content, **keys)
        return GitlabVariableTarget(settings, policy, lambda: NOW, (5.0, 5.0))

    return built
