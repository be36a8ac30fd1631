"""The access token that deploy/policies asks for in GitLab is exactly enough."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator.config.targets import GitlabVariableTargetSettings
from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Mark, Policy, Secret
from rotator.targets.gitlab_variable import GitlabVariableTarget
from tests.fakes.gitlab_access import DEVELOPER, MAINTAINER, OWNER
from tests.support import NOW

if TYPE_CHECKING:
    from tests.fakes.gitlab import FakeGitlab

TEXT = (Path(__file__).parents[2] / "deploy/policies/gitlab-token.sh").read_text()
ASKED = {
    kind: (scope, int(level))
    for scope, level, kind in re.findall(
        r"'scopes\[\]=(\w+)' --data access_level=(\d+).*?api/v4/(\w+)s/", TEXT, re.DOTALL
    )
}
BELOW = {OWNER: MAINTAINER, MAINTAINER: DEVELOPER}
VALUE = '{"auths":{"registry.example.com":{"auth":"cjpzM2NyM3QteA=="}}}'


def publish(server: FakeGitlab, kind: str, scope: str, level: int, folder: Path) -> None:
    """Write the variable twice, with a token of this scope and role."""
    path = f"platform/{kind}"
    (server.add_group if kind == "group" else server.add_project)(path)
    token = folder / "gitlab-token"
    token.write_text(server.add_token({path: level}, (scope,)).text)
    where = {kind: path}
    settings = GitlabVariableTargetSettings(url=server.url, token_file=token, **where)
    target = GitlabVariableTarget(settings, Policy(), lambda: NOW)
    mark = Mark({}, "hmac:0123456789ab", "dind")
    for value in (VALUE, VALUE.replace("registry", "other")):
        target.write(Secret(value), mark, target.read())


@pytest.mark.parametrize("kind", ["group", "project"])
def test_it_is_enough(fake_gitlab: FakeGitlab, tmp_path: Path, kind: str) -> None:
    """With it a variable is made, read and changed."""
    publish(fake_gitlab, kind, *ASKED[kind], tmp_path)


@pytest.mark.parametrize("kind", ["group", "project"])
@pytest.mark.parametrize("less", ["role", "scope"])
def test_less_is_not(fake_gitlab: FakeGitlab, tmp_path: Path, kind: str, less: str) -> None:
    """A lower role, or the next smaller scope, is refused."""
    scope, level = ASKED[kind]
    asked = (scope, BELOW[level]) if less == "role" else ("read_api", level)
    with pytest.raises(PermanentError) as caught:
        publish(fake_gitlab, kind, *asked, tmp_path)
    assert caught.value.reason == Reason.FORBIDDEN
