"""The access token that deploy/policies asks for in GitLab is exactly enough."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator.config.targets import GitlabVariableTargetSettings
from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Mark, Policy, Secret
from rotator.gitlab.errors import GranularError
from rotator.targets.gitlab_variable import GitlabVariableTarget
from tests.fakes.gitlab_access import DEVELOPER, MAINTAINER, OWNER
from tests.support import NOW

if TYPE_CHECKING:
    from tests.fakes.gitlab import FakeGitlab
    from tests.fakes.gitlab_access import Token

TEXT = (Path(__file__).parents[2] / "deploy/policies/gitlab-token.sh").read_text()
ASKED = {
    kind: (scope, int(level))
    for scope, level, kind in re.findall(
        r"'scopes\[\]=(\w+)' --data access_level=(\d+).*?api/v4/(\w+)s/", TEXT, re.DOTALL
    )
}
BELOW = {OWNER: MAINTAINER, MAINTAINER: DEVELOPER}
VALUE = '{"auths":{"registry.example.com":{"auth":"cjpzM2NyM3QteA=="}}}'


def publish(server: FakeGitlab, kind: str, token: Token, folder: Path) -> None:
    """Write the variable twice with this token."""
    path = f"platform/{kind}"
    (server.add_group if kind == "group" else server.add_project)(path)
    file = folder / "gitlab-token"
    file.write_text(token.text)
    where = {kind: path}
    settings = GitlabVariableTargetSettings(url=server.url, token_file=file, **where)
    target = GitlabVariableTarget(settings, Policy(), lambda: NOW)
    mark = Mark({}, "hmac:0123456789ab", "dind")
    for value in (VALUE, VALUE.replace("registry", "other")):
        target.write(Secret(value), mark, target.read())


@pytest.mark.parametrize("kind", ["group", "project"])
def test_it_is_enough(fake_gitlab: FakeGitlab, tmp_path: Path, kind: str) -> None:
    """With it a variable is made, read and changed."""
    scope, level = ASKED[kind]
    token = fake_gitlab.add_token({f"platform/{kind}": level}, (scope,))
    publish(fake_gitlab, kind, token, tmp_path)


def granted(name: str) -> set[str]:
    """Return the permissions that the fine-grained token asks for at a place."""
    grants = TEXT.partition('"granular_scopes":')[2].partition("}'")[0].replace("GROUP_ID", "1")
    return {
        permission
        for grant in json.loads(grants)
        if grant["access"] == name
        for permission in grant["permissions"]
    }


@pytest.mark.parametrize("less", ["", "create_variable", "read_variable", "update_variable"])
def test_the_fine_grained_one(fake_gitlab: FakeGitlab, tmp_path: Path, less: str) -> None:
    """Its permissions are enough, and not one of them may be missing."""
    permissions = granted("selected_memberships") - {less}
    token = fake_gitlab.add_token(
        {"platform/group": OWNER}, granular={"platform/group": frozenset(permissions)}
    )
    if not less:
        publish(fake_gitlab, "group", token, tmp_path)
        return
    with pytest.raises(GranularError, match="CI/CD Variable: "):
        publish(fake_gitlab, "group", token, tmp_path)


def test_the_fine_grained_one_reads_and_renews_itself(fake_gitlab: FakeGitlab) -> None:
    """The second part is what the fake, as GitLab, wants for both."""
    assert granted("user") == {"read_personal_access_token", "rotate_personal_access_token"}


@pytest.mark.parametrize("kind", ["group", "project"])
@pytest.mark.parametrize("less", ["role", "scope"])
def test_less_is_not(fake_gitlab: FakeGitlab, tmp_path: Path, kind: str, less: str) -> None:
    """A lower role, or the next smaller scope, is refused."""
    scope, level = ASKED[kind]
    scope, level = (scope, BELOW[level]) if less == "role" else ("read_api", level)
    token = fake_gitlab.add_token({f"platform/{kind}": level}, (scope,))
    with pytest.raises(PermanentError) as caught:
        publish(fake_gitlab, kind, token, tmp_path)
    assert caught.value.reason == Reason.FORBIDDEN
