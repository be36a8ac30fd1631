"""Which requests a GitLab target sends, and who shares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.config.targets import GitlabVariableTargetSettings
from rotator.core.errors import ConflictError, PermanentError
from rotator.core.model import Secret
from rotator.gitlab.mark import describe
from rotator.targets.gitlab_variable import GitlabVariableTarget, build
from tests.fakes.gitlab_access import Variable
from tests.support import NOW
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

    from tests.fakes.gitlab import FakeGitlab

    Make = Callable[..., GitlabVariableTarget]


def test_created_as_a_job_needs_it(make: Make, fake_gitlab: FakeGitlab) -> None:
    """A variable that is not there is created raw, masked, unprotected, with the mark."""
    target = make()
    held = target.write(DOCUMENT, MARK, target.read())
    assert only(fake_gitlab) == Variable(
        KEY, DOCUMENT.reveal(), masked=True, raw=True, description=describe(MARK)
    )
    assert (held.text, held.mark, held.notes) == (DOCUMENT, MARK, ())
    assert fake_gitlab.effective(PROJECT, KEY) == DOCUMENT.reveal()


@pytest.mark.parametrize("by", ["path", "id"])
@pytest.mark.parametrize("kind", ["group", "project"])
def test_two_requests_a_cycle(make: Make, fake_gitlab: FakeGitlab, kind: str, by: str) -> None:
    """A read is one request and a write one, for a group or project by path or id."""
    path = {"group": GROUP, "project": PROJECT}[kind]
    space = fake_gitlab.space(path)
    target = make(**{kind: path if by == "path" else str(space.id)})
    for document in (DOCUMENT, NEWER):
        before = len(fake_gitlab.calls)
        target.write(document, MARK, target.read())
        assert len(fake_gitlab.calls) - before == 2
        assert only(fake_gitlab, path).value == document.reveal()
    assert fake_gitlab.count("POST") == fake_gitlab.count("PUT") == 1


def test_targets_of_one_gitlab_share_it(make: Make, fake_gitlab: FakeGitlab) -> None:
    """So that thousands of them are not called all at once."""
    assert make(key="ONE").server == make(key="OTHER").server == fake_gitlab.url


def test_scope_is_always_sent(make: Make, fake_gitlab: FakeGitlab) -> None:
    """With one key under two scopes only the configured one is read and written."""
    space = fake_gitlab.space(GROUP)
    space.variables += [Variable(KEY, "theirs", environment_scope="prod"), Variable(KEY, "any")]
    target = make(environment_scope="prod")
    held = target.read()
    assert held.text == Secret("theirs")
    target.write(DOCUMENT, MARK, held)
    assert {v.environment_scope: v.value for v in space.variables} == {
        "prod": DOCUMENT.reveal(),
        "*": "any",
    }
    addressed = [call for call in fake_gitlab.calls if call.method in ("GET", "PUT")]
    assert all(call.query == {"filter[environment_scope]": ["prod"]} for call in addressed)


def test_free_group_without_scopes(make: Make, fake_gitlab: FakeGitlab) -> None:
    """Where the tier drops a group's scope silently, that is said, at once and ever after."""
    fake_gitlab.tier = "free"
    target = make(environment_scope="prod")
    with pytest.raises(PermanentError, match="Premium"):
        target.write(DOCUMENT, MARK, target.read())
    with pytest.raises(ConflictError, match="Premium"):
        target.write(DOCUMENT, MARK, target.read())


def test_one_connection_for_many_targets(make: Make, fake_gitlab: FakeGitlab) -> None:
    """Targets that share a GitLab share its connections."""
    for number in range(20):
        make(key=f"KEY_{number}").read()
    assert fake_gitlab.connections == 1


def test_build_takes_the_configuration(tmp_path: Path) -> None:
    """Building asks nobody and reads no secret."""
    settings = GitlabVariableTargetSettings(
        url="https://gitlab.example.com", group="team", key="K", token_file=tmp_path / "none"
    )
    target = build(settings, settings.policy(), lambda: NOW)
    assert (target.name, target.compares) == ("gitlab_variable:team/K", False)
