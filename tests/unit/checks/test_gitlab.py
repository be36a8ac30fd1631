"""What the doctor says of GitLab: the token, the variable, and what shadows it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rotator.checks import gitlab_shadows
from tests.fakes.gitlab import Answer, FakeGitlab
from tests.fakes.gitlab_access import DEVELOPER, OWNER, Namespace, Token, Variable
from tests.unit.checks.room import bad, file_target, levels, login_file, look, rotation, the

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rotator.checks.finding import Finding

GROUP, KEY = "platform", "DOCKER_AUTH_CONFIG"


class Ward:
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
def ward(tmp_path: Path, fake_gitlab: FakeGitlab) -> Ward:
    """Give a group with a token of its Owner."""
    return Ward(tmp_path, fake_gitlab)


def test_all_is_well(ward: Ward) -> None:
    """Token, role, shadows and masking are told; nothing is written."""
    ward.server.add_project(f"{GROUP}/app")
    found = ward.look()
    told = "\n".join(levels(found))
    for words in (
        "has the scope api and ends in 36",
        "it may read the variables of group platform",
        "asked 1 of the 1 sub-groups and projects",
        "GitLab can mask the value",
    ):
        assert words in told
    assert not bad(found)
    assert {call.method for call in ward.server.calls} == {"GET"}


def test_token_ends_soon(ward: Ward) -> None:
    """Thirty days ahead: the page where a new one is made, and how to write it down."""
    end = ward.server.today + timedelta(days=29)
    ward.give(ward.server.add_token({GROUP: OWNER}, expires_at=end))
    found = the(ward.look(), "warning", f"on {end} at 00:00 UTC")
    assert f"{ward.server.url}/groups/{GROUP}/-/settings/access_tokens" in found.todo
    assert f"cat > {ward.place}/gitlab-token" in found.todo
    ward.give(
        ward.server.add_token({GROUP: OWNER}, expires_at=ward.server.today + timedelta(days=32))
    )
    assert not bad(ward.look())


def test_token_without_an_end(ward: Ward) -> None:
    """A token that never ends is told to be so."""
    token = ward.server.add_token({GROUP: OWNER})
    token.expires_at = None
    ward.give(token)
    the(ward.look(), "ok", "and never ends")


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
def test_token_is_not_enough(ward: Ward, make: Callable[[FakeGitlab], Token], words: str) -> None:
    """A token that will not do is a failure, in the driver's words, with what to type."""
    ward.give(make(ward.server))
    assert the(ward.look(), "failure", words).todo


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
def test_variable_is_odd(ward: Ward, fields: dict[str, Any], words: str) -> None:
    """What people set by hand and jobs feel is a warning with the page to change it on."""
    ward.put(**fields)
    found = the(ward.look(), "warning", words)
    assert f"/groups/{GROUP}/-/settings/ci_cd" in found.todo


def test_configured_description(ward: Ward) -> None:
    """A configured description is said to prevent sharing, once."""
    ward.put(description="by the platform team")
    ward.settings["description"] = "by the platform team"
    found = ward.look()
    assert len(bad(found)) == 1
    assert "leave `description` out" in the(found, "warning", "configured description").todo


def test_hidden_and_protected_as_configured(ward: Ward) -> None:
    """What is as configured, or can't be helped, is no warning."""
    ward.put(hidden=True, protected=True)
    ward.settings["protected"] = True
    found = ward.look()
    the(found, "ok", "hides its value")
    the(found, "ok", "protected, as configured")
    assert not bad(found)


def test_several_scopes(ward: Ward) -> None:
    """The same key in several scopes of one group: a job gets another one than expected."""
    ward.put()
    ward.put(environment_scope="production")
    the(ward.look(), "warning", "in different environment scopes")


@pytest.mark.parametrize("scopes", [["*"], ["*", "production"]], ids=["one", "several"])
def test_shadowed_by_a_project(ward: Ward, scopes: list[str]) -> None:
    """A project's or sub-group's variable wins, and is named."""
    below = [ward.server.add_project(f"{GROUP}/a/app"), ward.server.space(f"{GROUP}/a")]
    for space in below:
        space.variables += [Variable(KEY, "old", environment_scope=scope) for scope in scopes]
    found = the(ward.look(), "warning", "variable DOCKER_AUTH_CONFIG of their own")
    assert found.found.startswith(f"{GROUP}/a, {GROUP}/a/app have")
    assert "/-/settings/ci_cd" in found.todo


def test_many_projects(ward: Ward) -> None:
    """The number of requests is bounded, and what was not looked at is said."""
    for number in range(120):
        ward.server.add_project(f"{GROUP}/team-{number % 30}/app-{number}")
    found = the(ward.look(), "ok", "as far as asked")
    assert "of the 130+ sub-groups and projects" in found.found
    looked_at = ward.server.count("GET", f"/{GROUP}/team-") + ward.server.count("GET", "%2Fteam-")
    assert looked_at > 30, "sub-groups alone"
    assert looked_at <= gitlab_shadows.MOST_ASKED


def test_throttled_below(ward: Ward) -> None:
    """A GitLab that can't keep up is asked no further than the turn that it refuses."""
    for number in range(60):
        ward.server.add_project(f"{GROUP}/app-{number}")
    real = ward.server.answer

    def answer(call: Any, token: str | None) -> Answer:
        if "/projects/" in call.path:
            return Answer(429, b"Retry later\n", {"Content-Type": "text/plain"})
        return real(call, token)

    ward.server.answer = answer  # type: ignore[method-assign]
    found = the(ward.look(), "ok", "as far as asked")
    assert "0 of the 60 " in found.found
    assert ward.server.count("GET", "/projects/") == 10


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"content": "username", "masked": True}, "shorter than 8"),
        ({"content": "password"}, "GitLab can mask"),
        ({"content": "username"}, "GitLab can take"),
    ],
    ids=["short user name", "password", "unmasked"],
)
def test_masking(ward: Ward, settings: dict[str, Any], words: str) -> None:
    """GitLab's rules are tried on the value as it would be."""
    ward.settings |= {"registry": "harbor.example.com", **settings}
    told = levels(ward.look())
    assert [one for one in told if words in one], told


def test_masking_of_somebody_elses_spaces(ward: Ward) -> None:
    """What stays of the document counts: a foreign key with a space in it can't be masked."""
    ward.put(json.dumps({"HttpHeaders": {"X-Team": "two words"}}), masked=False)
    the(ward.look(), "failure", "has white space in it")


def test_too_large_for_an_environment(ward: Ward) -> None:
    """A document that no job could be started with is a failure before it is written."""
    ward.put(json.dumps({"auths": {}, "x": "y" * 140_000}))
    the(ward.look(), "failure", "bytes in a job's environment")


def test_project_has_nothing_below(ward: Ward) -> None:
    """A project's variable is shadowed by none, so nothing is listed."""
    ward.server.add_project(f"{GROUP}/app")
    ward.settings |= {"group": None, "project": f"{GROUP}/app"}
    assert not bad(ward.look())
    assert not ward.server.count("GET", "descendant_groups")


def test_file_and_variable(ward: Ward) -> None:
    """One registry in a file and in the variable: new clients never look into the file."""
    sources = [{**login_file(ward.place), "registries": None}]  # only a fetch can tell
    found = look(ward.place, rotation(sources, [file_target(ward.place), ward.settings]))
    assert "`registries:`" in the(found, "warning", "and in the file").todo
    other = rotation(sources, [file_target(ward.place)], name="hosts")
    found = look(ward.place, other, rotation(sources, [ward.settings]))
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
    ward: Ward, granular: dict[str, frozenset[str]], level: str, words: str
) -> None:
    """They may be enough though they list nothing; what they lack is named as GitLab names it."""
    ward.give(ward.server.add_token({GROUP: OWNER}, granular=granular))
    found = ward.look()
    the(found, level, words)
    assert not any("role" in one for one in bad(found))
    if level == "ok":
        assert not bad(found)
        the(found, "ok", "below the group can't be listed")


def test_a_classic_token_that_lists_granular(ward: Ward) -> None:
    """GitLab 18.5 lists `granular` beside `api`: it is a classic one."""
    ward.give(ward.server.add_token({GROUP: OWNER}, ("api", "granular")))
    the(ward.look(), "ok", "has the scope api")


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("", "Your account has been blocked."),
        (GROUP, "The group is archived."),
        (GROUP, "Your IP address is not allowed to access this group."),
    ],
)
def test_a_403_in_gitlabs_words(ward: Ward, place: str, sentence: str) -> None:
    """It is never called a role that is too low."""
    ward.server.closed[place] = sentence
    found = the(ward.look(), "failure", sentence)
    assert "role" not in found.found


def test_own_rotation(ward: Ward) -> None:
    """Where the file can be replaced an end that comes soon is no warning; else it is a failure."""
    end = ward.server.today + timedelta(days=20)
    ward.give(ward.server.add_token({GROUP: OWNER}, expires_at=end))
    ward.settings["rotate_before"] = "14d"
    found = ward.look()
    assert not bad(found)
    the(found, "ok", "no other host may use this token")
    the(found, "ok", "rotator renews it 14 days before")
    real = (ward.place / "gitlab-token").rename(ward.place / "real")
    (ward.place / "gitlab-token").symlink_to(real)
    the(ward.look(), "failure", "`rotate_before` can't work")


@pytest.mark.parametrize("where", ["platform", "", "project"])
def test_a_variable_of_somebody_else_beats_the_file(ward: Ward, where: str) -> None:
    """The group above, the instance or the project itself: jobs take its logins first."""
    ward.server.add_project(f"{GROUP}/sub/app")
    ward.give(ward.server.add_token({GROUP: OWNER}, admin=True))
    path = f"{GROUP}/sub/app" if where == "project" else where
    ward.server.space(path).variables.append(Variable(KEY, "{}"))
    login = {"content": "password", "registry": "harbor.example.com"}
    ward.settings |= {"group": None, "project": f"{GROUP}/sub/app", **login}
    found = look(
        ward.place, rotation([login_file(ward.place)], [file_target(ward.place), ward.settings])
    )
    warning = the(found, "warning", "that no target here writes")
    assert (path or "the instance") in warning.found
    assert f"unset {KEY}" in warning.todo


def test_no_variable_beats_the_file(ward: Ward) -> None:
    """Places that the token may not read are named."""
    login = {"content": "password", "registry": "harbor.example.com"}
    ward.settings |= login
    the(ward.look(), "ok", "this token can't read the variables of the instance")


def test_a_token_of_another_rotation_looks(ward: Ward) -> None:
    """The file is one rotation's, the GitLab token another's."""
    ward.server.space(GROUP).variables.append(Variable(KEY, "{}"))
    ward.settings |= {"content": "password", "registry": "harbor.example.com"}
    hosts = rotation([login_file(ward.place)], [file_target(ward.place)], name="hosts")
    found = look(ward.place, hosts, rotation([login_file(ward.place)], [ward.settings]))
    the(found, "warning", "that no target here writes")
    assert not [one for one in found if "has a GitLab token" in one.found]


def test_our_own_variable_beats_nothing(ward: Ward) -> None:
    """What a target here writes is as fresh as the file."""
    ward.put(json.dumps({"auths": {"other.example.com": {"auth": "dTpw"}}}))
    found = look(
        ward.place, rotation([login_file(ward.place)], [file_target(ward.place), ward.settings])
    )
    assert not [one for one in bad(found) if "no target here writes" in one]
