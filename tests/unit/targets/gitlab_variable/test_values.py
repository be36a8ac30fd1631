"""Which values GitLab and Linux take."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Content, Held, Policy, Secret
from tests.support import MARKED
from tests.unit.targets.gitlab_variable.variable import KEY, MARK, only

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.targets.gitlab_variable import GitlabVariableTarget
    from tests.fakes.gitlab import FakeGitlab

    Make = Callable[..., GitlabVariableTarget]

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


def test_an_instance_takes_ten_thousand_characters(make: Make, fake_gitlab: FakeGitlab) -> None:
    """GitLab's limit is known before the request."""
    with pytest.raises(PermanentError) as caught:
        make(instance=True).write(Secret("x" * 10_001), MARK, Held(None))
    assert caught.value.reason is Reason.TOO_LARGE
    assert "10,000" in caught.value.detail
    assert not fake_gitlab.calls


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
