"""Values: a secret prints nowhere, nothing changes once made, a policy tells what belongs where."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from rotator.core.model import Content, Credential, Held, Policy, Secret
from tests.support import MARKED, NOW
from tests.unit.core.builders import HOST, OTHER, login

SECRET = Secret(f"{MARKED}text")


@pytest.mark.parametrize(
    "printed",
    [
        str(SECRET),
        repr(SECRET),
        f"{SECRET}",
        f"{SECRET:>40}",
        f"{SECRET!r}",
        "%s" % SECRET,  # noqa: UP031  one of the ways to print it
        repr([SECRET]),
        repr(login(SECRET)),
        repr(Held(SECRET)),
        json.dumps({"password": SECRET}, default=str),
    ],
)
def test_a_secret_shows_as_stars(printed: str) -> None:
    """However it is printed, alone or inside something else."""
    assert MARKED not in printed
    assert "***" in printed


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_stays_in_this_process(copied: object) -> None:
    """It can't be put into a file or another process by accident."""
    assert callable(copied)
    with pytest.raises(TypeError, match="not copied"):
        copied(SECRET)


def test_a_secret_is_compared_by_its_text() -> None:
    """Equal texts are equal and hash alike; nothing else equals a secret."""
    same, other = Secret(SECRET.reveal()), Secret(f"{MARKED}other")
    assert same == SECRET
    assert len({SECRET, same, other}) == 2
    assert SECRET.reveal() != SECRET
    assert Secret("pässword") != other


def test_a_lone_surrogate_is_compared_too() -> None:
    """JSON can hold one, UTF-8 can't; a comparison must not fail a cycle."""
    assert Secret("\ud800") == Secret("\ud800")
    assert Secret("\ud800") != Secret("\ud801")


def test_an_empty_secret_is_false() -> None:
    """`if password:` asks for its text."""
    assert SECRET
    assert not Secret("")


def test_a_secret_gives_its_text_when_asked() -> None:
    """There is one way out, and it has a name that can be searched for."""
    assert SECRET.reveal() == f"{MARKED}text"
    assert not hasattr(SECRET, "__dict__")


def test_values_do_not_change() -> None:
    """A credential that was proven can't become another one."""
    made = Credential(HOST, "ci", SECRET, NOW)
    with pytest.raises(AttributeError, match="immutable"):
        made.username = "root"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        (Policy(), {HOST, OTHER}),
        (Policy(registries=frozenset({HOST})), {HOST}),
        (Policy(registries=frozenset()), set()),
        (Policy(content=Content.PASSWORD, registry=OTHER), {OTHER}),
        (Policy(content=Content.USERNAME, registry=HOST), {HOST}),
    ],
)
def test_a_policy_tells_what_belongs_in_a_target(policy: Policy, wanted: set[str]) -> None:
    """All registries, those of the filter, or the one whose half login it is."""
    assert {registry for registry in (HOST, OTHER) if policy.wants(registry)} == wanted
