"""What `check` says of GitLab: the token, the variable, and what shadows it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rotator.gitlab import overruling
from tests.fakes.far_away import FarAway
from tests.fakes.gitlab import Answer, FakeGitlab
from tests.fakes.gitlab_access import DEVELOPER, OWNER, Namespace, Token, Variable
from tests.unit.checks.described import bad, file_target, levels, login_file, look, rotation, the

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rotator.inspection import Finding

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


@pytest.fixture
def rig(tmp_path: Path, fake_gitlab: FakeGitlab) -> Rig:
    """Give a group with a token of its Owner."""
    return Rig(tmp_path, fake_gitlab)


def test_all_is_well(rig: Rig) -> None:
    """Token, role, shadows and masking are told; nothing is written."""
    rig.server.add_project(f"{GROUP}/app")
    found = rig.look()
    reported = "\n".join(levels(found))
    for words in (
        "has the scope api and ends in 36",
        "it may read the variables of group platform",
        "asked 1 of the 1 sub-groups and projects",
        "GitLab can mask the value",
    ):
        assert words in reported
    assert not bad(found)
    assert {call.method for call in rig.server.calls} == {"GET"}


def test_token_ends_soon(rig: Rig) -> None:
    """Thirty days ahead: the page where a new one is made, and how to write it down."""
    end = rig.server.today + timedelta(days=29)
    rig.give(rig.server.add_token({GROUP: OWNER}, expires_at=end))
    found = the(rig.look(), "warning", f"on {end} at 00:00 UTC")
    assert f"{rig.server.url}/groups/{GROUP}/-/settings/access_tokens" in found.todo
    assert f"cat > {rig.place}/gitlab-token" in found.todo
    rig.give(rig.server.add_token({GROUP: OWNER}, expires_at=rig.server.today + timedelta(days=32)))
    assert not bad(rig.look())


def test_token_without_an_end(rig: Rig) -> None:
    """A token that never ends is told to be so."""
    token = rig.server.add_token({GROUP: OWNER})
    token.expires_at = None
    rig.give(token)
    the(rig.look(), "ok", "and never ends")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda s: s.add_token({GROUP: OWNER}, ("read_api",)), "lacks the scope api"),
        (lambda s: s.add_token({GROUP: DEVELOPER}), "role is too low"),
        (lambda s: s.add_token({}), "no such group"),
        (lambda s: s.add_token({GROUP: OWNER}, expires_at=s.today), "wrong, revoked or expired"),
    ],
    ids=["scope", "role", "stranger", "expired"],
)
def test_token_is_not_enough(rig: Rig, make: Callable[[FakeGitlab], Token], words: str) -> None:
    """A token that will not do is a failure, in the driver's words, with what to type."""
    rig.give(make(rig.server))
    assert the(rig.look(), "failure", words).todo


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"variable_type": "file"}, "is of type File"),
        ({"protected": True}, "only jobs on protected branches"),
        ({"masked": False}, "is not masked"),
        ({"raw": False}, "is expanded"),
        ({"description": "ours, hands off"}, "description of its own"),
    ],
    ids=["file", "protected", "not masked", "expanded", "described"],
)
def test_variable_is_odd(rig: Rig, fields: dict[str, Any], words: str) -> None:
    """What people set by hand and jobs feel is a warning with the page to change it on."""
    rig.put(**fields)
    found = the(rig.look(), "warning", words)
    assert f"/groups/{GROUP}/-/settings/ci_cd" in found.todo


def test_configured_description(rig: Rig) -> None:
    """A configured description is said to prevent sharing, once."""
    rig.put(description="by the platform team")
    rig.settings["description"] = "by the platform team"
    found = rig.look()
    assert len(bad(found)) == 1
    assert "leave `description` out" in the(found, "warning", "configured description").todo


def test_hidden_and_protected_as_configured(rig: Rig) -> None:
    """What is as configured, or can't be helped, is no warning."""
    rig.put(hidden=True, protected=True)
    rig.settings["protected"] = True
    found = rig.look()
    the(found, "ok", "hides its value")
    the(found, "ok", "protected, as configured")
    assert not bad(found)


def test_several_scopes(rig: Rig) -> None:
    """The same key in several scopes of one group: a job gets another one than expected."""
    rig.put()
    rig.put(environment_scope="production")
    the(rig.look(), "warning", "in different environment scopes")


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


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"content": "username", "masked": True}, "shorter than 8"),
        ({"content": "password"}, "GitLab can mask"),
        ({"content": "username"}, "GitLab can take"),
    ],
    ids=["short user name", "password", "unmasked"],
)
def test_masking(rig: Rig, settings: dict[str, Any], words: str) -> None:
    """GitLab's rules are tried on the value as it would be."""
    rig.settings |= {"registry": "harbor.example.com", **settings}
    reported = levels(rig.look())
    assert [one for one in reported if words in one], reported


def test_masking_of_somebody_elses_spaces(rig: Rig) -> None:
    """What stays of the document counts: a foreign key with a space in it can't be masked."""
    rig.put(json.dumps({"HttpHeaders": {"X-Team": "two words"}}), masked=False)
    the(rig.look(), "failure", "has white space in it")


def test_too_large_for_an_environment(rig: Rig) -> None:
    """A document that no job could be started with is a failure before it is written."""
    rig.put(json.dumps({"auths": {}, "x": "y" * 140_000}))
    the(rig.look(), "failure", "bytes in a job's environment")


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


READ = frozenset({"read_variable"})
ALL = READ | {"create_variable", "update_variable"}
USER = frozenset({"read_personal_access_token"})


@pytest.mark.parametrize(
    ("granular", "level", "words"),
    [
        ({GROUP: ALL, "user": USER}, "ok", "is a fine-grained one and ends in"),
        ({GROUP: ALL}, "ok", "may not read itself"),
        ({GROUP: READ, "user": USER}, "failure", "CI/CD Variable: Create, CI/CD Variable: Update"),
        ({GROUP: USER}, "failure", "[CI/CD Variable: Read]"),
    ],
    ids=["all", "not itself", "no write", "no read"],
)
def test_fine_grained_tokens(
    rig: Rig, granular: dict[str, frozenset[str]], level: str, words: str
) -> None:
    """They may be enough though they list nothing; what they lack is named as GitLab names it."""
    rig.give(rig.server.add_token({GROUP: OWNER}, granular=granular))
    found = rig.look()
    the(found, level, words)
    assert not any("role" in one for one in bad(found))
    if level == "ok":
        assert not bad(found)
        the(found, "ok", "below the group can't be listed")


def test_a_classic_token_that_lists_granular(rig: Rig) -> None:
    """GitLab 18.5 lists `granular` beside `api`: it is a classic one."""
    rig.give(rig.server.add_token({GROUP: OWNER}, ("api", "granular")))
    the(rig.look(), "ok", "has the scope api")


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("", "Your account has been blocked."),
        (GROUP, "The group is archived."),
        (GROUP, "Your IP address is not allowed to access this group."),
    ],
)
def test_a_403_with_gitlabs_message(rig: Rig, place: str, sentence: str) -> None:
    """It is never called a role that is too low."""
    rig.server.closed[place] = sentence
    found = the(rig.look(), "failure", sentence)
    assert "role" not in found.found


def test_own_rotation(rig: Rig) -> None:
    """Where the file can be replaced an end that comes soon is no warning; else it is a failure."""
    end = rig.server.today + timedelta(days=20)
    rig.give(rig.server.add_token({GROUP: OWNER}, expires_at=end))
    rig.settings["rotate_before"] = "14d"
    found = rig.look()
    assert not bad(found)
    the(found, "ok", "no other host may use this token")
    the(found, "ok", "rotator renews it 14 days before")
    real = (rig.place / "gitlab-token").rename(rig.place / "real")
    (rig.place / "gitlab-token").symlink_to(real)
    the(rig.look(), "failure", "`rotate_before` can't work")


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


def test_many_variables_of_one_gitlab(rig: Rig) -> None:
    """They wait for their turn, and their time counts from then: none is said to have no answer."""
    port = int(rig.server.url.rpartition(":")[2])
    with FarAway(port, 0.1) as far:
        settings = {**rig.settings, "url": f"http://127.0.0.1:{far.port}"}
        many = [{**settings, "name": f"v{n}", "key": f"KEY_{n}"} for n in range(100)]
        found = look(rig.place, rotation([login_file(rig.place)], many))
    assert not [one for one in bad(found) if "no answer" in one or "not asked" in one]
