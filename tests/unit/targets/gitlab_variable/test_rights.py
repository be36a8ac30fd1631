"""Our access token for GitLab: what it may do, and what is said where it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import DriverError, PermanentError, Reason
from rotator.core.model import Held
from tests.fakes.gitlab_access import INSTANCE, MAINTAINER, OWNER
from tests.support import MARKED
from tests.unit.targets.gitlab_variable.variable import (
    DOCUMENT,
    GROUP,
    KEY,
    MARK,
    NEWER,
    PROJECT,
    only,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rotator.targets.gitlab_variable import GitlabVariableTarget
    from tests.fakes.gitlab import FakeGitlab

    Make = Callable[..., GitlabVariableTarget]


def test_replaced_token_file_counts_at_the_next_call(
    make: Make, fake_gitlab: FakeGitlab, tmp_path: Path
) -> None:
    """A revoked token fails the login; the one that replaces it in the file is used at once."""
    target = make()
    target.read()
    stamp = target.login_stamp()
    fake_gitlab.authenticate((tmp_path / "token").read_text()).revoked = True
    with pytest.raises(DriverError) as caught:
        target.read()
    assert caught.value.reason is Reason.LOGIN_REJECTED
    assert str(tmp_path / "token") in caught.value.hint
    (tmp_path / "token").write_text(fake_gitlab.add_token({GROUP: OWNER}).text + "\n")
    assert target.read() == Held(None)
    assert target.login_stamp() != stamp


def test_unprintable_token_is_not_quoted(make: Make, tmp_path: Path) -> None:
    """A token file with two lines is an error that tells neither."""
    (tmp_path / "token").write_text(f"{MARKED}one\n{MARKED}two")
    with pytest.raises(PermanentError) as caught:
        make().read()
    assert caught.value.reason is Reason.MALFORMED
    assert MARKED not in f"{caught.value.detail} {caught.value.hint} {caught.value.__cause__}"


def test_access_token(make: Make, fake_gitlab: FakeGitlab, tmp_path: Path) -> None:
    """The access token's end (midnight UTC), and scopes are told with one request."""
    own = make().access_token()
    known = fake_gitlab.authenticate((tmp_path / "token").read_text())
    assert own.expires_at is not None
    assert own.expires_at.isoformat() == f"{known.expires_at}T00:00:00+00:00"
    assert own.scopes == ("api",)
    assert len(fake_gitlab.calls) == 1
    known.expires_at = None
    assert make().access_token().expires_at is None


def test_maintainer_of_a_project_suffices(
    make: Make, fake_gitlab: FakeGitlab, tmp_path: Path
) -> None:
    """A project's variable needs Maintainer, a group's Owner, and the error says so."""
    (tmp_path / "token").write_text(fake_gitlab.add_token({GROUP: MAINTAINER}).text)
    assert make(project=PROJECT).read() == Held(None)
    with pytest.raises(PermanentError, match="runners need the role Owner") as caught:
        make().read()
    assert f"{fake_gitlab.url}/groups/{GROUP}/-/settings/access_tokens" in caught.value.hint


def test_read_only_scope_fails_at_the_write(
    make: Make, fake_gitlab: FakeGitlab, tmp_path: Path
) -> None:
    """A token with read_api reads; the write says which scope is missing."""
    token = fake_gitlab.add_token({GROUP: OWNER}, scopes=("read_api",))
    (tmp_path / "token").write_text(token.text)
    target = make()
    with pytest.raises(PermanentError, match="lacks the scope api"):
        target.write(DOCUMENT, MARK, target.read())


def test_a_variable_of_the_instance(make: Make, fake_gitlab: FakeGitlab, tmp_path: Path) -> None:
    """An administrator's token creates and updates it; no scope is sent, as there is none."""
    (tmp_path / "token").write_text(fake_gitlab.add_token({}, admin=True).text)
    target = make(instance=True)
    for document in (DOCUMENT, NEWER):
        target.write(document, MARK, target.read())
        assert only(fake_gitlab, INSTANCE).value == document.reveal()
    assert {call.path for call in fake_gitlab.calls} == {
        "/api/v4/admin/ci/variables",
        f"/api/v4/admin/ci/variables/{KEY}",
    }
    assert not any(call.query or "environment_scope" in call.body for call in fake_gitlab.calls)
    assert make(instance=True).asked.place == "the instance"


def test_an_instance_needs_an_administrator(make: Make) -> None:
    """And the error says where such a token is made."""
    with pytest.raises(PermanentError, match="the instance need an administrator") as caught:
        make(instance=True).read()
    assert "/-/user_settings/personal_access_tokens" in caught.value.hint
