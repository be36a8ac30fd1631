"""The sentences that table, page, plain lines and the service manager share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from rotator.observe import phrases
from rotator.observe.view_model import FailureView, Found, Health, View
from tests.support import NOW
from tests.unit.observe import heard
from tests.unit.observe.views import TROUBLED, WELL, hours, view_of

if TYPE_CHECKING:
    from rotator.observe.view_model import CredentialView, RotationView

DIND = view_of(WELL)
AGAIN = FailureView("timeout", "no answer", "wait", 1, NOW - hours(1), NOW + hours(0.5))


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (DIND, "Last cycle 3 m ago, next cycle in 1 m 48 s."),
        (replace(DIND, in_cycle=True), "one is running now"),
        (replace(DIND, succeeded_at=None), "never a success"),
        (replace(DIND, succeeded_at=NOW - hours(2)), "last success 2 h ago"),
        (replace(DIND, next_at=NOW), "next cycle due now"),
        (replace(DIND, next_at=NOW - hours(1)), "next cycle was due 1 h ago"),
    ],
)
def test_cycles(view: RotationView, words: str) -> None:
    """When the last one was, and when the next one is."""
    assert words in phrases.cycles(view, NOW)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Job-safe: a job of 3 h can start during the next 4 h, even if nothing"),
        ({"safe_until": None}, "nothing of this ends by itself"),
        ({"health": Health.AMBER}, "Something needs attention before"),
        ({"job_safe": False}, "that starts now may lose its registries"),
        ({"job_safe": False, "outcome": None, "in_cycle": True}, "the first cycle is running"),
        ({"outcome": "paused"}, "Paused: nothing is fetched or written"),
    ],
)
def test_safety(changes: dict[str, Any], words: str) -> None:
    """Whether a job can start, and until when."""
    assert words in phrases.safety(replace(DIND, **changes), NOW)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ["ends in 7 h", "renewal in 1 h"]),
        ({"outcome": "kept", "proof": "accepted"}, ["kept", "accepted by its registry"]),
        ({"outcome": "pending"}, ["pending: its registry does not know it yet"]),
        ({"expires_at": NOW - hours(1)}, ["ended 1 h ago"]),
        ({"expires_at": None}, ["has no known end"]),
        ({"expires_at": None, "fingerprint": None, "outcome": None}, ["nothing yet"]),
        ({"expires_at": None, "fingerprint": None, "outcome": "failed"}, ["failed"]),
    ],
)
def test_credential(changes: dict[str, Any], words: list[str]) -> None:
    """The most important first."""
    one: CredentialView = replace(DIND.credentials[0], **changes)
    assert [word for word in phrases.credential(one, NOW) if word in words] == words


def test_a_pending_credential_is_not_said_to_be_rejected() -> None:
    """Its registry rejects what it does not know yet: that is said in other words."""
    one = replace(DIND.credentials[0], outcome="pending", proof="rejected", renew_at=None)
    assert phrases.credential(one, NOW) == [
        "pending: its registry does not know it yet",
        "ends in 7 h",
    ]


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (AGAIN, "Failed once, the first time 1 h ago; tried again in 30 m."),
        (replace(AGAIN, count=3), "Failed 3 times in a row"),
        (replace(AGAIN, retry_at=NOW), "tried again in the next cycle"),
        (FailureView("timeout", "no answer", "wait"), ""),
    ],
)
def test_history(failure: FailureView, words: str) -> None:
    """How often it failed, and when it is tried again."""
    said = phrases.history(failure, NOW)
    assert words in said
    assert bool(words) == bool(said)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "1 rotation, all fresh and job-safe; next: dind in"),
        ({"outcome": "partial"}, "job-safe, but not all fresh: dind; see rotator status"),
        ({"job_safe": False}, "NOT job-safe: dind; what to do: rotator status"),
        ({"outcome": "paused", "job_safe": False, "next_at": None}, "1 rotation, all fresh"),
    ],
)
def test_sentence(changes: dict[str, Any], words: str) -> None:
    """How a daemon is, in one line."""
    assert words in phrases.sentence([heard.report(**changes)], NOW)


def test_before_the_first_report() -> None:
    """It has only begun."""
    assert phrases.sentence([], NOW) == "starting: the first cycles are running"


def test_many_names() -> None:
    """A headline names a few."""
    views = tuple(view_of(TROUBLED, name=f"r{number}") for number in range(9))
    assert phrases.headline(View(NOW, "running", views)).endswith("r3, r4 and 4 more")


def test_all_are_paused() -> None:
    """They are meant to be so."""
    view = View(NOW, "running", (view_of(WELL, enabled=False),))
    assert phrases.headline(view) == "Everything is paused"


def test_nothing_belongs_there() -> None:
    """A filter of registries may leave nothing for a target."""
    assert phrases.found(Found()) == ["now: nothing of this rotation belongs there"]
