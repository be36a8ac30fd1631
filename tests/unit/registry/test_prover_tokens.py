"""The proof by way of a token service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.model import Verdict
from rotator.registry.prover import RegistryProver
from tests.unit.registry.stand_in import PAGE, SECRET, basic, bearer, credential, errors

if TYPE_CHECKING:
    from tests.unit.registry.stand_in import Registry, Replied

TOKENS = {
    # what the token service answers; what the registry answers to a token; the verdict
    "accepted": (200, b'{"token": "t0k"}', 200, Verdict.ACCEPTED),
    "the other name": (200, b'{"access_token": "t0k"}', 200, Verdict.ACCEPTED),
    "both names": (200, b'{"access_token": "a", "token": "t0k"}', 200, Verdict.ACCEPTED),
    "the registry takes no token": (200, b'{"token": "t0k"}', 401, Verdict.REJECTED),
    "the registry is down": (200, b'{"token": "t0k"}', 503, Verdict.UNKNOWN),
    "rejected": (401, b"", 200, Verdict.REJECTED),
    "rejected in a document": (403, errors(), 200, Verdict.REJECTED),
    "a proxy's 403": (403, PAGE, 200, Verdict.UNKNOWN),
    "down": (503, b"", 200, Verdict.UNKNOWN),
    "throttled": (429, b"", 200, Verdict.UNKNOWN),
    "no token": (200, b"{}", 200, Verdict.UNKNOWN),
    "a token with a line end": (200, b'{"token": "a\\r\\nX: y"}', 200, Verdict.UNKNOWN),
    "a token of another type": (200, b'{"token": 7}', 200, Verdict.UNKNOWN),
    "an empty token": (200, b'{"token": ""}', 200, Verdict.UNKNOWN),
    "not JSON": (200, b"<html>", 200, Verdict.UNKNOWN),
}


@pytest.mark.parametrize(("status", "body", "then", "verdict"), TOKENS.values(), ids=TOKENS)
def test_tokens(
    registry: Registry, other: Registry, status: int, body: bytes, then: int, verdict: Verdict
) -> None:
    """The token service may reject the login, and the registry the token."""
    other.respond = lambda *_: (status, {}, body)
    challenge = bearer(f'realm="{other.url}/token?x=1",service="s",scope="a b"')
    registry.respond = lambda _, authorization: (then, {}, b"") if authorization else challenge
    proof = RegistryProver().prove(credential(registry.host))
    assert proof.verdict is verdict
    assert bool(proof.detail) == (verdict is not Verdict.ACCEPTED)
    ((asked, offered),) = other.asked
    assert asked == "/token?x=1&service=s&scope=a+b&account=ci"
    assert offered.startswith("Basic ")
    assert {offer for _, offer in registry.asked} <= {"", "Bearer t0k"}


@pytest.mark.parametrize("status", [400, 403, 404])
@pytest.mark.parametrize(
    ("without", "verdict"),
    [(200, Verdict.REJECTED), (401, Verdict.REJECTED), (403, Verdict.UNKNOWN)],
)
def test_a_token_service_that_refuses_in_its_own_way(
    registry: Registry, other: Registry, status: int, without: int, verdict: Verdict
) -> None:
    """It refuses the login where it answers better without one."""
    other.respond = lambda _, sent: (status if sent else without, {}, b'{"token": "t"}')
    registry.respond = lambda *_: bearer(f'realm="{other.url}/token"')
    if (status, without) == (400, 401):
        verdict = Verdict.UNKNOWN  # it may be about anything in the request
    proof = RegistryProver().prove(credential(registry.host))
    assert proof.verdict is verdict
    assert f"its token service {other.host}" in proof.detail


IDENTITY = {
    # what the token service answers to the form; what the registry answers to a token; the verdict
    "accepted": (200, b'{"access_token": "t0k"}', 200, Verdict.ACCEPTED),
    "rejected": (401, errors("UNAUTHORIZED"), 200, Verdict.REJECTED),
    "expired": (400, b'{"error": "invalid_grant"}', 200, Verdict.REJECTED),
    "denied": (400, b'{"error": "access_denied"}', 200, Verdict.REJECTED),
    "another client": (400, b'{"error": "unauthorized_client"}', 200, Verdict.UNKNOWN),
    "not understood": (400, b"", 200, Verdict.UNKNOWN),
    "forbidden": (403, errors(), 200, Verdict.REJECTED),
    "a proxy's 403": (403, PAGE, 200, Verdict.UNKNOWN),
    "no such way in": (404, b"", 200, Verdict.UNKNOWN),
    "no such method": (405, b"", 200, Verdict.UNKNOWN),
    "down": (503, b"", 200, Verdict.UNKNOWN),
    "no token": (200, b"{}", 200, Verdict.UNKNOWN),
    "the registry takes no token": (200, b'{"access_token": "t0k"}', 401, Verdict.REJECTED),
}


@pytest.mark.parametrize(("status", "body", "then", "verdict"), IDENTITY.values(), ids=IDENTITY)
def test_identity_tokens(
    registry: Registry, other: Registry, status: int, body: bytes, then: int, verdict: Verdict
) -> None:
    """They are exchanged by a form, as Docker does, and never sent as a password."""
    other.respond = lambda *_: (status, {}, body)
    challenge = bearer(f'realm="{other.url}/oauth2/token",service="s",scope="a b"')
    registry.respond = lambda _, sent: (then, {}, b"") if sent else challenge
    proof = RegistryProver().prove(credential(registry.host, "<token>"))
    assert proof.verdict is verdict
    assert SECRET not in proof.detail
    first = other.requests[0]
    assert (first.method, first.path, first.authorization) == ("POST", "/oauth2/token", "")
    assert first.form == {
        "grant_type": "refresh_token",
        "client_id": "rotator",
        "refresh_token": SECRET,
        "service": "s",
        "scope": "a b",
    }
    assert {sent for _, sent in registry.asked} <= {"", "Bearer t0k"}


def test_an_identity_token_takes_the_bearer_challenge(registry: Registry, other: Registry) -> None:
    """A registry that offers two ways is asked in the one that takes such a token."""
    other.respond = lambda *_: (200, {}, b'{"access_token": "t0k"}')
    both = {"WWW-Authenticate": f'Basic realm="b", Bearer realm="{other.url}/token"'}
    registry.respond = lambda _, sent: (200 if sent else 401, both, b"")
    prover = RegistryProver()
    assert prover.prove(credential(registry.host, "<token>")).verdict is Verdict.ACCEPTED
    assert prover.prove(credential(registry.host)).verdict is Verdict.ACCEPTED
    assert [one.method for one in other.requests] == ["POST"]


def test_a_token_for_too_little(registry: Registry, other: Registry) -> None:
    """The login was good; that its token does not open `/v2/` is no word on it."""
    other.respond = lambda *_: (200, {}, b'{"token": "t0k"}')
    challenge = bearer(f'realm="{other.url}/t",error="insufficient_scope"')
    registry.respond = lambda *_: challenge
    assert RegistryProver().prove(credential(registry.host)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("answer", [(200, {}, b"{}"), basic(200)("", "")])
def test_no_identity_token_where_none_is_taken(registry: Registry, answer: Replied) -> None:
    """Nobody but a token service knows what to do with one."""
    registry.respond = lambda *_: answer
    proof = RegistryProver().prove(credential(registry.host, "<token>"))
    assert (proof.verdict, "identity token" in proof.detail) == (Verdict.UNKNOWN, True)
    assert not registry.saw_login()
