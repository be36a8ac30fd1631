"""The proof at a registry that lets anybody in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.model import Verdict
from rotator.registry.login import Login
from rotator.registry.prover import RegistryProver
from tests.unit.registry.stand_in import PAGE, bearer, credential

if TYPE_CHECKING:
    from tests.unit.registry.stand_in import Registry, Replied

LETS_IN = {
    # what a registry without a challenge answers to our login, to another one; the verdict
    "it checks, and ours is right": ((200, {}, b"{}"), (401, {}, b""), Verdict.ACCEPTED),
    "it checks by 403": ((200, {}, b"{}"), (403, {}, b""), Verdict.ACCEPTED),
    "it checks by 404": ((200, {}, b"{}"), (404, {}, b""), Verdict.ACCEPTED),
    "it checks, and ours is wrong": ((401, {}, b""), (401, {}, b""), Verdict.REJECTED),
    "ours is forbidden": ((403, {}, b""), (403, {}, b""), Verdict.REJECTED),
    "ours finds nothing": ((404, {}, b""), (404, {}, b""), Verdict.REJECTED),
    "ours is a bad request": ((400, {}, b""), (400, {}, b""), Verdict.REJECTED),
    "it takes any login": ((200, {}, b"{}"), (200, {}, b"{}"), Verdict.UNKNOWN),
    "it is in trouble then": ((200, {}, b"{}"), (503, {}, b""), Verdict.UNKNOWN),
    "it throttles then": ((429, {}, b""), (429, {}, b""), Verdict.UNKNOWN),
    "a page": ((403, {}, PAGE), (403, {}, PAGE), Verdict.UNKNOWN),
}


@pytest.mark.parametrize(("ours", "others", "verdict"), LETS_IN.values(), ids=LETS_IN)
def test_a_registry_that_lets_anybody_in(
    registry: Registry, ours: Replied, others: Replied, verdict: Verdict
) -> None:
    """The login is offered all the same; accepted it is where another one would be refused."""
    good = Login(credential(registry.host)).basic
    answers = {"": (200, {}, b"{}"), good: ours}
    registry.respond = lambda _, sent: answers.get(sent, others)
    proof = RegistryProver().prove(credential(registry.host))
    assert proof.verdict is verdict


def test_a_made_up_login_is_offered_once(registry: Registry) -> None:
    """That a registry refuses wrong logins needs to be known but once."""
    good = Login(credential(registry.host)).basic
    registry.respond = lambda _, sent: (200 if sent in ("", good) else 401, {}, b"")
    prover = RegistryProver()
    for _ in range(3):
        assert prover.prove(credential(registry.host)).verdict is Verdict.ACCEPTED
    made_up = [sent for _, sent in registry.asked if sent not in ("", good)]
    assert len(made_up) == 1
    assert prover.prove(credential(registry.host, password="s3cr3t-old")).verdict is (
        Verdict.REJECTED
    )


def test_a_registry_that_lets_anybody_in_and_has_tokens(
    registry: Registry, other: Registry
) -> None:
    """A 401 that brings a Bearer challenge is none to the login: the challenge is followed."""

    def respond(_: str, sent: str) -> Replied:
        if sent.startswith("Basic"):
            return bearer(f'realm="{other.url}/token"')
        return 200, {}, b"{}"

    registry.respond = respond
    for status, verdict in ((200, Verdict.ACCEPTED), (401, Verdict.REJECTED)):
        other.respond = lambda *_, status=status: (status, {}, b'{"token": "t0k"}')
        assert RegistryProver().prove(credential(registry.host)).verdict is verdict
