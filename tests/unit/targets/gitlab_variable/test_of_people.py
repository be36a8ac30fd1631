"""What people set in a GitLab variable stays, and is said where it will surprise somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from rotator.core.errors import ConflictError
from rotator.gitlab.mark import describe
from tests.fakes.gitlab_access import Variable
from tests.unit.targets.gitlab_variable.variable import DOCUMENT, GROUP, KEY, MARK, only

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.targets.gitlab_variable import GitlabVariableTarget
    from tests.fakes.gitlab import FakeGitlab

    Make = Callable[..., GitlabVariableTarget]

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
