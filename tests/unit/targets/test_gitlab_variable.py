"""The `gitlab_variable` target: what it sends, what it keeps, what it refuses."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from rotator.config.targets import GitlabVariableTargetSettings
from rotator.core.errors import ConflictError, DriverError, PermanentError, Reason
from rotator.core.model import Content, Held, Mark, Policy, Secret
from rotator.gitlab.mark import describe
from rotator.targets.gitlab_variable import GitlabVariableTarget, build
from tests.fakes.gitlab_access import INSTANCE, MAINTAINER, OWNER, Variable
from tests.support import MARKED, NOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.gitlab import FakeGitlab

    Make = Callable[..., GitlabVariableTarget]

GROUP = "platform/runners"
PROJECT = "platform/runners/app"
KEY = "DOCKER_AUTH_CONFIG"
DOCUMENT = Secret('{"auths":{"registry.example.com":{"auth":"czNjcjN0LW9uZQ=="}}}')
NEWER = Secret('{"auths":{"registry.example.com":{"auth":"czNjcjN0LXR3bw=="}}}')
MARK = Mark({"registry.example.com": NOW}, "hmac:3f9a2c41d7e0", "dind")


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


def only(server: FakeGitlab, path: str = GROUP) -> Variable:
    """Return the one variable that is there."""
    (variable,) = server.space(path).variables
    return variable


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


BY_PERSON = [
    pytest.param({"protected": True}, {}, {"protected": True}, id="protected is kept"),
    pytest.param({"protected": True}, {"protected": False}, {"protected": False}, id="unless told"),
    pytest.param({"variable_type": "file"}, {}, {"variable_type": "file"}, id="type is kept"),
    pytest.param({"description": "Ask Ops"}, {}, {"description": "Ask Ops"}, id="words are kept"),
    pytest.param({"description": None}, {}, {"description": describe(MARK)}, id="no words: mark"),
    pytest.param(
        {"description": describe(replace(MARK, fingerprint="hmac:0"))},
        {},
        {"description": describe(MARK)},
        id="an older mark is replaced",
    ),
    pytest.param(
        {"description": "Ask Ops"},
        {"description": "Ask Dev"},
        {"description": "Ask Dev"},
        id="configured words win",
    ),
    pytest.param({"raw": False, "masked": False}, {}, {"raw": True, "masked": True}, id="safe"),
    pytest.param({"masked": True, "raw": True}, {"masked": False}, {"masked": False}, id="masked"),
]


@pytest.mark.parametrize(("there", "configured", "then"), BY_PERSON)
def test_what_people_set_stays(
    make: Make,
    fake_gitlab: FakeGitlab,
    there: dict[str, Any],
    configured: dict[str, Any],
    then: dict[str, Any],
) -> None:
    """An update changes value, raw, masked and what is configured, and nothing else."""
    fake_gitlab.space(GROUP).variables.append(Variable(KEY, "something-old", **there))
    target = make(**configured)
    target.write(DOCUMENT, MARK, target.read())
    assert {name: getattr(only(fake_gitlab), name) for name in then} == then
    assert only(fake_gitlab).value == DOCUMENT.reveal()


def test_hidden_is_withheld_and_still_written(make: Make, fake_gitlab: FakeGitlab) -> None:
    """A hidden variable tells its mark, not its value, and is updated without a word on masking."""
    hidden = Variable(KEY, DOCUMENT.reveal(), masked=True, hidden=True, description=describe(MARK))
    fake_gitlab.space(GROUP).variables.append(hidden)
    target = make()
    held = target.read()
    assert (held.text, held.withheld, held.mark) == (None, True, MARK)
    held = target.write(NEWER, MARK, held)
    assert (held.text, held.withheld) == (None, True)
    assert only(fake_gitlab).value == NEWER.reveal()
    assert "masked" not in fake_gitlab.calls[-1].body


def test_nothing_there_is_not_withheld(make: Make) -> None:
    """A variable that does not exist is nothing, which is not the same as hidden."""
    assert make().read() == Held(None)


NOTES = [
    pytest.param({"variable_type": "file"}, "a path", id="file"),
    pytest.param({"protected": True}, "protected branches", id="protected"),
    pytest.param({"masked": False}, "not masked", id="unmasked"),
    pytest.param({"raw": False}, "expanded", id="expanded"),
    pytest.param({"description": "Ask Ops"}, "no mark", id="own description"),
]


@pytest.mark.parametrize(("there", "words"), NOTES)
def test_oddities_are_noted(
    make: Make, fake_gitlab: FakeGitlab, there: dict[str, Any], words: str
) -> None:
    """What is there and will surprise somebody is said with the read, one note each."""
    good = {"masked": True, "raw": True, **there}
    fake_gitlab.space(GROUP).variables.append(Variable(KEY, DOCUMENT.reveal(), **good))
    (note,) = make().read().notes
    assert words in note


LONGEST = 131_072 - len(f"{KEY}=\0")
"""The longest value that Linux lets a program start with."""

REFUSED = [
    pytest.param("s3cr3t", {}, Reason.INVALID, "shorter than 8", id="too short to mask"),
    pytest.param(MARKED + "two words", {}, Reason.INVALID, "white space", id="white space"),
    pytest.param(MARKED + "line\nbreak", {}, Reason.INVALID, "white space", id="two lines"),
    pytest.param("x" * (LONGEST + 1), {}, Reason.TOO_LARGE, "131073", id="no environment holds it"),
    pytest.param("é" * 65_536, {"masked": False}, Reason.TOO_LARGE, "131", id="bytes count"),
]


@pytest.mark.parametrize(("text", "keys", "reason", "words"), REFUSED)
def test_refused_before_any_request(
    make: Make, fake_gitlab: FakeGitlab, text: str, keys: dict[str, Any], reason: Reason, words: str
) -> None:
    """What GitLab or Linux would refuse is refused without asking, and not quoted."""
    with pytest.raises(PermanentError) as caught:
        make(**keys).write(Secret(text), MARK, Held(None))
    assert caught.value.reason is reason
    assert words in caught.value.detail
    assert text not in f"{caught.value.detail} {caught.value.hint}"
    assert fake_gitlab.calls == []


def test_longest_value_is_taken(make: Make, fake_gitlab: FakeGitlab) -> None:
    """A value that just fits into a job's environment is written."""
    text = "x" * LONGEST
    subprocess.run(["true"], env={KEY: text}, check=True)
    make().write(Secret(text), MARK, Held(None))
    assert only(fake_gitlab).value == text


@pytest.mark.parametrize(
    ("content", "text", "key"),
    [
        (Content.USERNAME, "AWS", "DOCKER_REGISTRY_USER"),
        (Content.PASSWORD, MARKED + "password", "DOCKER_REGISTRY_PASS"),
    ],
    ids=["username", "password"],
)
def test_login_part(
    make: Make, fake_gitlab: FakeGitlab, content: Content, text: str, key: str
) -> None:
    """A user name too short to be masked is written in plain, a password masked."""
    target = make(Policy(content=content, registry="registry.example.com"))
    target.write(Secret(text), MARK, target.read())
    assert (only(fake_gitlab).key, only(fake_gitlab).value) == (key, text)
    assert only(fake_gitlab).masked is (content is Content.PASSWORD)


def test_linux_starts_nothing_with_a_longer_value() -> None:
    """The limit is the kernel's own."""
    with pytest.raises(OSError, match="too long"):
        subprocess.run(["true"], env={KEY: "x" * (LONGEST + 1)}, check=True)


def test_created_meanwhile_is_a_conflict(make: Make, fake_gitlab: FakeGitlab) -> None:
    """A variable that appeared between read and write is read again, not overwritten."""
    target = make()
    held = target.read()
    fake_gitlab.space(GROUP).variables.append(Variable(KEY, "theirs"))
    with pytest.raises(ConflictError):
        target.write(DOCUMENT, MARK, held)
    assert only(fake_gitlab).value == "theirs"


def test_deleted_meanwhile_is_a_conflict(make: Make, fake_gitlab: FakeGitlab) -> None:
    """A variable that went between read and write is read again, then created."""
    fake_gitlab.space(GROUP).variables.append(Variable(KEY, "theirs"))
    target = make()
    held = target.read()
    fake_gitlab.space(GROUP).variables.clear()
    with pytest.raises(ConflictError):
        target.write(DOCUMENT, MARK, held)
    target.write(DOCUMENT, MARK, target.read())
    assert only(fake_gitlab).value == DOCUMENT.reveal()


def test_free_group_without_scopes(make: Make, fake_gitlab: FakeGitlab) -> None:
    """Where the tier drops a group's scope silently, that is said, at once and ever after."""
    fake_gitlab.tier = "free"
    target = make(environment_scope="prod")
    with pytest.raises(PermanentError, match="Premium"):
        target.write(DOCUMENT, MARK, target.read())
    with pytest.raises(ConflictError, match="Premium"):
        target.write(DOCUMENT, MARK, target.read())


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


def test_an_instance_takes_ten_thousand_characters(make: Make, fake_gitlab: FakeGitlab) -> None:
    """GitLab's limit is known before the request."""
    with pytest.raises(PermanentError) as caught:
        make(instance=True).write(Secret("x" * 10_001), MARK, Held(None))
    assert caught.value.reason is Reason.TOO_LARGE
    assert "10,000" in caught.value.detail
    assert not fake_gitlab.calls


def test_an_instance_needs_an_administrator(make: Make) -> None:
    """And the error says where such a token is made."""
    with pytest.raises(PermanentError, match="the instance need an administrator") as caught:
        make(instance=True).read()
    assert "/-/user_settings/personal_access_tokens" in caught.value.hint


def test_made_hidden(make: Make, fake_gitlab: FakeGitlab) -> None:
    """`masked_and_hidden` counts when the variable is made; later writes say nothing of it."""
    target = make(masked_and_hidden=True)
    held = target.write(DOCUMENT, MARK, target.read())
    assert only(fake_gitlab).hidden
    assert (held.text, held.withheld, held.mark, held.notes) == (None, True, MARK, ())
    target.write(NEWER, MARK, target.read())
    assert only(fake_gitlab).value == NEWER.reveal()
    assert "masked_and_hidden" not in fake_gitlab.calls[-1].body


@pytest.mark.parametrize("why", ["old GitLab", "visible before"])
def test_not_hidden_is_said(make: Make, fake_gitlab: FakeGitlab, why: str) -> None:
    """Where GitLab can't hide it, it is masked at least, and the note says what to do."""
    if why == "old GitLab":
        fake_gitlab.version = (17, 3)
    else:
        fake_gitlab.space(GROUP).variables.append(Variable(KEY, "{}"))
    target = make(masked_and_hidden=True)
    held = target.write(DOCUMENT, MARK, target.read())
    assert only(fake_gitlab).masked
    assert "delete it there" in "".join(held.notes)


def test_a_person_made_it_hidden(make: Make, fake_gitlab: FakeGitlab) -> None:
    """It is withheld from then on, and written all the same: the core decides when."""
    target = make()
    before = target.write(DOCUMENT, MARK, target.read())
    only(fake_gitlab).hidden = True
    held = target.read()
    assert before.text == DOCUMENT
    assert (held.text, held.withheld, held.mark) == (None, True, MARK)
    assert target.write(NEWER, MARK, held).withheld
    assert only(fake_gitlab).value == NEWER.reveal()


def test_notes_of_a_write_are_about_what_is_then(make: Make, fake_gitlab: FakeGitlab) -> None:
    """What a write has put right is not among the notes of its answer."""
    fake_gitlab.space(GROUP).variables.append(Variable(KEY, "{}"))
    target = make()
    held = target.read()
    assert "is not masked" in "".join(held.notes)
    assert "is expanded" in "".join(held.notes)
    assert target.write(DOCUMENT, MARK, held).notes == ()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('{"auths":{"r":{"auth":"dTpw"}},"HttpHeaders":{"X":"1"}}', "del(.HttpHeaders)"),
        ('{"auths":{"r":{"auth":"dTpw","email":"e"}}}', "del(.auths.r.email)"),
        ('{"auths":{"r":{}}}', "del(.auths.r)"),
        ('{"auths":{"r/a":{"auth":"dTpw"}}}', "one login for r"),
    ],
)
def test_what_docker_drops_the_variable_for_is_noted(
    make: Make, fake_gitlab: FakeGitlab, value: str, words: str
) -> None:
    """It is kept, as other programs take it, and said with what to type."""
    fake_gitlab.space(GROUP).variables.append(Variable(KEY, value, masked=True, raw=True))
    assert words in "".join(make().read().notes)


@pytest.mark.parametrize(
    ("content", "value", "hint"),
    [
        (Content.DOCKER_CONFIG, '{"HttpHeaders":{"X-Team":"two words"}}', "take `HttpHeaders` out"),
        (Content.DOCKER_CONFIG, '{"auths":{"a b":{},"c":{}}}', "take `a b` out"),
        (Content.PASSWORD, "s3cr3t- x", "without blanks"),
        (Content.USERNAME, "x", "masked: false"),
    ],
)
def test_how_to_make_a_value_maskable(make: Make, content: Content, value: str, hint: str) -> None:
    """A document full of secrets is never to be published unmasked."""
    registry = None if content is Content.DOCKER_CONFIG else "r"
    target = make(Policy(content=content, registry=registry), masked=True)
    with pytest.raises(PermanentError) as caught:
        target.check_value(value, masked=True)
    assert hint in caught.value.hint
    assert ("masked: false" in caught.value.hint) == (content is Content.USERNAME)


@pytest.mark.parametrize("configured", [True, False])
def test_a_hidden_variable_with_somebodys_description_carries_no_mark(
    fake_gitlab: FakeGitlab, make: Make, *, configured: bool
) -> None:
    """Then our journal says what was written, as GitLab has no other place for a mark."""
    hidden = Variable(KEY, DOCUMENT.reveal(), masked=True, hidden=True, description="Ask Ops")
    fake_gitlab.space(GROUP).variables.append(hidden)
    target = make(**({"description": "Ask Ops"} if configured else {}))
    assert target.read().mark is None
    assert not target.marks
    hidden.description = ""
    target.read()
    assert target.marks is not configured
