"""The GitLab fake keeps the rules that GitLab documents.

https://docs.gitlab.com/api/group_level_variables/, https://docs.gitlab.com/ci/variables/,
https://docs.gitlab.com/api/personal_access_tokens/, https://docs.gitlab.com/security/rate_limits/
"""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.fakes.gitlab_access import INSTANCE, MAINTAINER, OWNER, Variable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.gitlab import FakeGitlab
    from tests.fakes.gitlab_access import Token

    Ask = Callable[..., requests.Response]

JSON = '{"auths":{"r.example.com":{"auth":"eDp5"}}}'
GROUP = "team/sub"
VARIABLES = "groups/team%2Fsub/variables"


@pytest.fixture
def owner(fake_gitlab: FakeGitlab) -> Token:
    """Make groups, a project and a token that owns them."""
    fake_gitlab.add_project(f"{GROUP}/app")
    return fake_gitlab.add_token({"team": OWNER})


@pytest.fixture
def ask(fake_gitlab: FakeGitlab, owner: Token) -> Ask:
    """Send requests with the owner's token, or another."""

    def sent(method: str, path: str, token: str | None = None, **more: Any) -> requests.Response:
        headers = {"PRIVATE-TOKEN": token or owner.text}
        return requests.request(
            method, f"{fake_gitlab.url}/api/v4/{path}", headers=headers, timeout=5, **more
        )

    return sent


@pytest.mark.parametrize(
    ("value", "raw", "status"),
    [
        (JSON, True, 201),
        (JSON, False, 400),
        ("abcdefgh", False, 201),
        ("abcdefg", True, 400),
        ("with some space", True, 400),
    ],
)
def test_masking_expressions(ask: Ask, value: str, *, raw: bool, status: int) -> None:
    """A masked value matches the narrow expression, a masked and raw one the wide one."""
    body = {"key": "K", "value": value, "masked": True, "raw": raw}
    answer = ask("POST", VARIABLES, json=body)
    assert answer.status_code == status
    assert status == 201 or answer.json() == {"message": {"value": ["is invalid"]}}


def test_scopes_need_the_filter(ask: Ask, fake_gitlab: FakeGitlab) -> None:
    """Without a filter several scopes are a 409 for GET and DELETE, and PUT takes any one."""
    for scope in ("*", "prod"):
        ask("POST", VARIABLES, json={"key": "K", "value": scope, "environment_scope": scope})
    one = f"{VARIABLES}/K"
    assert [ask(method, one).status_code for method in ("GET", "DELETE")] == [409, 409]
    assert ask("GET", f"{one}?filter[environment_scope]=prod").json()["value"] == "prod"
    assert ask("PUT", one, json={"value": "any"}).status_code == 200
    assert "any" in {v.value for v in fake_gitlab.space(GROUP).variables}
    assert ask("DELETE", f"{one}?filter[environment_scope]=*").status_code == 204
    assert ask("PUT", f"{one}?filter[environment_scope]=*", json={}).status_code == 404


def test_hidden_from_birth_only(ask: Ask) -> None:
    """Hidden is decided at creation, its value never shown, its masking never changed."""
    one = f"{VARIABLES}/K"
    body = {"key": "K", "value": JSON, "raw": True, "masked_and_hidden": True}
    shown = ask("POST", VARIABLES, json=body).json()
    assert (shown["hidden"], shown["masked"], shown["value"]) == (True, True, None)
    assert ask("PUT", one, json={"value": JSON + "x"}).json()["value"] is None
    assert ask("PUT", one, json={"masked": True}).status_code == 400
    ask("POST", VARIABLES, json={"key": "L", "value": "x"})
    assert ask("PUT", f"{VARIABLES}/L", json={"masked_and_hidden": True}).json()["hidden"] is False


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"key": "TAKEN", "value": "x"}, "(TAKEN) has already been taken"),
        ({"key": "a-b", "value": "x"}, "can contain only"),
        ({"key": "K", "value": "x", "description": "x" * 256}, "is too long"),
        ({"key": "K"}, "value is missing"),
    ],
    ids=["taken", "key", "description", "no value"],
)
def test_refused(ask: Ask, body: dict[str, str], words: str) -> None:
    """What can't be stored is a 400 that says why."""
    ask("POST", VARIABLES, json={"key": "TAKEN", "value": "x"})
    answer = ask("POST", VARIABLES, json=body)
    assert answer.status_code == 400
    assert words in answer.text


def test_limits(ask: Ask, fake_gitlab: FakeGitlab) -> None:
    """A group holds so many variables, and no more."""
    fake_gitlab.limits["group"] = 1
    answers = [ask("POST", VARIABLES, json={"key": key, "value": "x"}) for key in "KL"]
    assert [answer.status_code for answer in answers] == [201, 400]
    assert "Maximum number of group ci variables (1) exceeded" in answers[1].text


def test_roles_and_scopes(ask: Ask, fake_gitlab: FakeGitlab) -> None:
    """Groups need Owner, projects Maintainer, the instance an administrator, writes `api`."""
    maintainer = fake_gitlab.add_token({"team": MAINTAINER}).text
    assert ask("GET", VARIABLES, maintainer).status_code == 403
    assert ask("GET", "projects/team%2Fsub%2Fapp/variables", maintainer).status_code == 200
    assert ask("GET", "admin/ci/variables").status_code == 403
    assert ask("GET", "admin/ci/variables", fake_gitlab.add_token({}, admin=True).text).ok
    stranger = fake_gitlab.add_token({"other": OWNER}).text
    assert ask("GET", VARIABLES, stranger).json() == {"message": "404 Group Not Found"}
    reader = fake_gitlab.add_token({"team": OWNER}, scopes=("read_api",)).text
    assert ask("GET", VARIABLES, reader).ok
    answer = ask("POST", VARIABLES, reader, json={"key": "K", "value": "x"})
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")


def test_rotating_a_dead_token_kills_its_family(ask: Ask, owner: Token) -> None:
    """A rotated token dies at once; rotated again, it takes its successor with it."""
    rotate = "personal_access_tokens/self/rotate"
    new = ask("POST", rotate).json()
    assert ask("GET", VARIABLES).status_code == 401
    assert ask("GET", VARIABLES, new["token"]).ok
    assert ask("POST", rotate).status_code == 401
    assert ask("GET", VARIABLES, new["token"]).status_code == 401


def test_token_life(ask: Ask, fake_gitlab: FakeGitlab, owner: Token) -> None:
    """A token tells its last day; a rotated one lives a week; after its end it is refused."""
    shown = ask("GET", "personal_access_tokens/self").json()
    assert (shown["expires_at"], shown["scopes"]) == (str(owner.expires_at), ["api"])
    new = ask("POST", "personal_access_tokens/self/rotate").json()
    assert new["expires_at"] == str(fake_gitlab.today + timedelta(days=7))
    fake_gitlab.today += timedelta(days=7)
    answer = ask("GET", VARIABLES, new["token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


def test_throttled_in_plain_text(ask: Ask, fake_gitlab: FakeGitlab) -> None:
    """The rate limiter answers in plain text, and says how long to wait."""
    assert ask("GET", VARIABLES).headers["RateLimit-Limit"] == "2000"
    fake_gitlab.throttle("30")
    answer = ask("GET", VARIABLES)
    assert (answer.status_code, answer.text) == (429, "Retry later\n")
    assert answer.headers["Retry-After"] == "30"


def test_lists_are_paged(ask: Ask, fake_gitlab: FakeGitlab) -> None:
    """Lists come 20 at a time, with the next page named."""
    fake_gitlab.space(GROUP).variables += [Variable(f"K{n}", "x") for n in range(25)]
    first = ask("GET", VARIABLES)
    assert (len(first.json()), first.headers["X-Next-Page"]) == (20, "2")
    assert len(ask("GET", f"{VARIABLES}?page=2").json()) == 5
    assert len(ask("GET", "groups/team/subgroups").json()) == 1
    assert ask("GET", "groups/team/projects").json() == []
    below = ask("GET", "groups/team/projects?include_subgroups=true").json()
    assert [one["path_with_namespace"] for one in below] == ["team/sub/app"]


def test_free_tier_strips_group_scopes(ask: Ask, fake_gitlab: FakeGitlab) -> None:
    """On Free a group's scope is dropped without a word, a project's kept."""
    fake_gitlab.tier = "free"
    body = {"key": "K", "value": "x", "environment_scope": "prod"}
    assert ask("POST", VARIABLES, json=body).json()["environment_scope"] == "*"
    stored = ask("POST", "projects/team%2Fsub%2Fapp/variables", json=body).json()
    assert stored["environment_scope"] == "prod"


def test_precedence(fake_gitlab: FakeGitlab, owner: Token) -> None:
    """A job gets the project's value, else the closest group's, else the instance's."""
    project = f"{GROUP}/app"
    assert fake_gitlab.effective(project, "K") is None
    for path in (INSTANCE, "team", GROUP, project):
        fake_gitlab.space(path).variables.append(Variable("K", path or "instance"))
        assert fake_gitlab.effective(project, "K") == (path or "instance")
    fake_gitlab.space(project).variables.append(Variable("K", "prod", environment_scope="prod/*"))
    assert fake_gitlab.effective(project, "K") == project
    assert fake_gitlab.effective(project, "K", "prod/eu") == "prod"


def test_expansion_and_protection(fake_gitlab: FakeGitlab, owner: Token) -> None:
    """Values that are not raw lose unknown `$X`; protected ones reach protected refs only."""
    fake_gitlab.space(GROUP).variables += [
        Variable("PLAIN", "robot$ci"),
        Variable("RAW", "robot$ci", raw=True),
        Variable("SAFE", "x", protected=True),
    ]
    project = f"{GROUP}/app"
    seen = [fake_gitlab.effective(project, key) for key in ("PLAIN", "RAW", "SAFE")]
    assert seen == ["robot", "robot$ci", None]
    assert fake_gitlab.effective(project, "SAFE", protected_ref=True) == "x"


def test_command_line() -> None:
    """By hand it prints its address and a token, and serves."""
    command = [sys.executable, "-m", "tests.fakes.gitlab", "--group", "team"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            printed = process.stdout.readline()
            assert '"url": "http://127.0.0.1:' in printed
        finally:
            process.terminate()


def test_a_fine_grained_token_may_do_what_is_granted(
    ask: Ask, fake_gitlab: FakeGitlab, owner: Token
) -> None:
    """The role alone is not enough, and the permission that lacks is named as GitLab names it."""
    grants = {"team": frozenset({"read_variable"})}
    text = fake_gitlab.add_token({"team": OWNER}, granular=grants).text
    assert ask("GET", f"{VARIABLES}/A", text).status_code == 404
    refused = ask("POST", VARIABLES, text, json={"key": "A", "value": "x"})
    assert refused.status_code == 403
    assert refused.json()["error"] == "insufficient_granular_scope"
    assert "[CI/CD Variable: Create]" in refused.json()["error_description"]
    assert ask("GET", "personal_access_tokens/self", text).status_code == 403
    assert ask("GET", "groups/team/projects", text).status_code == 403


def test_a_closed_place_says_why(ask: Ask, fake_gitlab: FakeGitlab) -> None:
    """GitLab's own sentence follows its 403."""
    fake_gitlab.closed[GROUP] = "The group is archived."
    assert ask("GET", f"{VARIABLES}/A").json() == {
        "message": "403 Forbidden - The group is archived."
    }


@pytest.mark.parametrize("version", [(17, 3), (17, 4)])
def test_hidden_from_17_4_on(ask: Ask, fake_gitlab: FakeGitlab, version: tuple[int, int]) -> None:
    """An older GitLab does not know the parameter and drops it."""
    fake_gitlab.version = version
    wanted = {"key": "A", "value": JSON, "raw": True, "masked": True, "masked_and_hidden": True}
    assert ask("POST", VARIABLES, json=wanted).json()["hidden"] == (version >= (17, 4))


def test_a_groups_token_is_rotated_at_its_group(ask: Ask, fake_gitlab: FakeGitlab) -> None:
    """And a person's among the personal ones."""
    number = fake_gitlab.space("team").id
    text = fake_gitlab.add_token({"team": OWNER}, bot=f"group_{number}").text
    assert ask("POST", "personal_access_tokens/self/rotate", text).status_code == 404
    assert ask("POST", f"groups/{number}/access_tokens/self/rotate", text).status_code == 200
