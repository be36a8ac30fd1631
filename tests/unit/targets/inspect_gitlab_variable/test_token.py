"""What `check` says of our access token for GitLab."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.fakes.gitlab_access import DEVELOPER, OWNER, Token
from tests.unit.checks.described import bad, levels, the
from tests.unit.targets.inspect_gitlab_variable.rig import GROUP, Rig

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.gitlab import FakeGitlab


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
