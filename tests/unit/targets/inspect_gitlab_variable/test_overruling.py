"""What `check` says of variables that beat what is published."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rotator.gitlab import overruling
from tests.fakes.gitlab import Answer
from tests.fakes.gitlab_access import OWNER, Variable
from tests.unit.checks.described import bad, file_target, login_file, look, rotation, the
from tests.unit.targets.inspect_gitlab_variable.rig import GROUP, KEY, Rig


@pytest.mark.parametrize("scopes", [["*"], ["*", "production"]], ids=["one", "several"])
def test_shadowed_by_a_project(rig: Rig, scopes: list[str]) -> None:
    """A project's or sub-group's variable wins, and is named."""
    below = [rig.server.add_project(f"{GROUP}/a/app"), rig.server.space(f"{GROUP}/a")]
    for space in below:
        space.variables += [Variable(KEY, "old", environment_scope=scope) for scope in scopes]
    found = the(rig.look(), "warning", "variable DOCKER_AUTH_CONFIG of their own")
    assert found.found.startswith(f"{GROUP}/a, {GROUP}/a/app have")
    assert "/-/settings/ci_cd" in found.todo


def test_many_projects(rig: Rig) -> None:
    """The number of requests is bounded, and what was not looked at is said."""
    for number in range(120):
        rig.server.add_project(f"{GROUP}/team-{number % 30}/app-{number}")
    found = the(rig.look(), "ok", "as far as asked")
    assert "of the 130+ sub-groups and projects" in found.found
    looked_at = rig.server.count("GET", f"/{GROUP}/team-") + rig.server.count("GET", "%2Fteam-")
    assert looked_at > 30, "sub-groups alone"
    assert looked_at <= overruling.MOST_ASKED


def test_throttled_below(rig: Rig) -> None:
    """A GitLab that can't keep up is asked no further than the turn that it refuses."""
    for number in range(60):
        rig.server.add_project(f"{GROUP}/app-{number}")
    real = rig.server.answer

    def answer(call: Any, token: str | None) -> Answer:
        if "/projects/" in call.path:
            return Answer(429, b"Retry later\n", {"Content-Type": "text/plain"})
        return real(call, token)

    rig.server.answer = answer  # type: ignore[method-assign]
    found = the(rig.look(), "ok", "as far as asked")
    assert "0 of the 60 " in found.found
    assert rig.server.count("GET", "/projects/") == 10


def test_project_has_nothing_below(rig: Rig) -> None:
    """A project's variable is shadowed by none, so nothing is listed."""
    rig.server.add_project(f"{GROUP}/app")
    rig.settings |= {"group": None, "project": f"{GROUP}/app"}
    assert not bad(rig.look())
    assert not rig.server.count("GET", "descendant_groups")


def test_file_and_variable(rig: Rig) -> None:
    """One registry in a file and in the variable: new clients never look into the file."""
    sources = [{**login_file(rig.place), "registries": None}]  # only a fetch can tell
    found = look(rig.place, rotation(sources, [file_target(rig.place), rig.settings]))
    assert "`registries:`" in the(found, "warning", "and in the file").todo
    other = rotation(sources, [file_target(rig.place)], name="hosts")
    found = look(rig.place, other, rotation(sources, [rig.settings]))
    the(found, "warning", "and in the file")


@pytest.mark.parametrize("where", ["platform", "", "project"])
def test_a_variable_of_somebody_else_beats_the_file(rig: Rig, where: str) -> None:
    """The group above, the instance or the project itself: jobs take its logins first."""
    rig.server.add_project(f"{GROUP}/sub/app")
    rig.give(rig.server.add_token({GROUP: OWNER}, admin=True))
    path = f"{GROUP}/sub/app" if where == "project" else where
    rig.server.space(path).variables.append(Variable(KEY, "{}"))
    login = {"content": "password", "registry": "harbor.example.com"}
    rig.settings |= {"group": None, "project": f"{GROUP}/sub/app", **login}
    found = look(
        rig.place, rotation([login_file(rig.place)], [file_target(rig.place), rig.settings])
    )
    warning = the(found, "warning", "that no target here writes")
    assert (path or "the instance") in warning.found
    assert f"unset {KEY}" in warning.todo


def test_no_variable_beats_the_file(rig: Rig) -> None:
    """Places that the token may not read are named."""
    login = {"content": "password", "registry": "harbor.example.com"}
    rig.settings |= login
    the(rig.look(), "ok", "this token can't read the variables of the instance")
    rig.give(rig.server.add_token({GROUP: OWNER}, admin=True))
    the(rig.look(), "ok", "of another overrules what is published")


def test_a_token_of_another_rotation_looks(rig: Rig) -> None:
    """The file is one rotation's, the GitLab token another's."""
    rig.server.space(GROUP).variables.append(Variable(KEY, "{}"))
    rig.settings |= {"content": "password", "registry": "harbor.example.com"}
    hosts = rotation([login_file(rig.place)], [file_target(rig.place)], name="hosts")
    found = look(rig.place, hosts, rotation([login_file(rig.place)], [rig.settings]))
    the(found, "warning", "that no target here writes")
    assert not [one for one in found if "has a GitLab token" in one.found]


def test_our_own_variable_beats_nothing(rig: Rig) -> None:
    """What a target here writes is as fresh as the file."""
    rig.put(json.dumps({"auths": {"other.example.com": {"auth": "dTpw"}}}))
    found = look(
        rig.place, rotation([login_file(rig.place)], [file_target(rig.place), rig.settings])
    )
    assert not [one for one in bad(found) if "no target here writes" in one]
