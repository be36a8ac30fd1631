"""What the proof makes of a registry's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.model import Verdict
from rotator.http.client import Limits
from rotator.registry.login import Login
from rotator.registry.prover import RegistryProver
from tests.support import free_port
from tests.unit.registry.stand_in import PAGE, SECRET, basic, bearer, credential, errors

if TYPE_CHECKING:
    from tests.unit.registry.stand_in import Registry, Replied

ANSWERS = {
    "accepted": (200, b"{}", Verdict.ACCEPTED),
    "accepted without a body": (200, b"", Verdict.ACCEPTED),
    "a login page": (200, PAGE, Verdict.UNKNOWN),
    "rejected": (401, b"", Verdict.REJECTED),
    "rejected with a page": (401, PAGE, Verdict.REJECTED),
    "rejected in the registry's document": (403, errors(), Verdict.REJECTED),
    "expired": (403, errors(message="Your authorization token has expired."), Verdict.REJECTED),
    "too many requests in a 403": (403, errors("TOOMANYREQUESTS"), Verdict.UNKNOWN),
    "a proxy's 403": (403, PAGE, Verdict.UNKNOWN),
    "an empty 403": (403, b"", Verdict.REJECTED),
    "a JSON 403 of something else": (403, b'{"error": "denied"}', Verdict.REJECTED),
    "a 403 with empty errors": (403, b'{"errors": []}', Verdict.REJECTED),
    "a 403 with errors of another shape": (403, b'{"errors": ["no"]}', Verdict.REJECTED),
    "a 403 of nested lists": (403, b"[" * 60_000, Verdict.REJECTED),
    "a 403 that is too long": (403, b"x" * 70_000, Verdict.UNKNOWN),
    "bad request": (400, errors(), Verdict.UNKNOWN),
    "bad request, a page": (400, PAGE, Verdict.UNKNOWN),
    "not found": (404, b"", Verdict.REJECTED),
    "not found, a page": (404, PAGE, Verdict.UNKNOWN),
    "a proxy wants a login": (407, b"", Verdict.UNKNOWN),
    "another answer": (418, b"", Verdict.UNKNOWN),
    "throttled": (429, errors("TOOMANYREQUESTS"), Verdict.UNKNOWN),
    "broken": (500, b"", Verdict.UNKNOWN),
    "bad gateway": (502, PAGE, Verdict.UNKNOWN),
    "down": (503, b"", Verdict.UNKNOWN),
}


@pytest.mark.parametrize(("status", "body", "verdict"), ANSWERS.values(), ids=ANSWERS)
def test_judges_answers(registry: Registry, status: int, body: bytes, verdict: Verdict) -> None:
    """Rejected is what the registry refuses; a proxy's or a login page is none of its answers."""
    registry.respond = basic(status, body)
    proof = RegistryProver().prove(credential(registry.host))
    assert proof.verdict is verdict
    assert bool(proof.detail) == (verdict is not Verdict.ACCEPTED)
    assert SECRET not in proof.detail
    assert str(status) in proof.detail or verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("then", [(403, b""), (403, PAGE), (200, PAGE), (503, b"")])
def test_who_refuses_everybody_refuses_no_login(
    registry: Registry, status: int, then: tuple[int, bytes]
) -> None:
    """A firewall that begins to refuse between two requests says nothing of the login."""
    anonymous = iter([(401, {"WWW-Authenticate": "Basic realm=x"}, b""), (then[0], {}, then[1])])
    registry.respond = lambda _, sent: (status, {}, b"") if sent else next(anonymous)
    proof = RegistryProver().prove(credential(registry.host))
    assert (proof.verdict, str(status) in proof.detail) == (Verdict.UNKNOWN, True)


ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("body", "verdict"), [(b"", Verdict.REJECTED), (PAGE, Verdict.UNKNOWN)], ids=["plain", "page"]
)
def test_ecr_refuses_with_400(registry: Registry, body: bytes, verdict: Verdict) -> None:
    """Amazon's registry says 400 to a token that is malformed or of another region."""
    challenge = {"WWW-Authenticate": f'Basic realm="https://{ECR}/",service="ecr.amazonaws.com"'}
    registry.respond = lambda _, sent: (400, {}, body) if sent else (401, challenge, b"")
    proof = RegistryProver().prove(credential(registry.host, "AWS"))
    assert proof.verdict is verdict


def test_ecr_public_is_asked_through_its_challenge(registry: Registry, other: Registry) -> None:
    """It answers 400 to a login that it did not ask for, so none is sent before the challenge."""

    def respond(_: str, sent: str) -> Replied:
        if sent.startswith("Basic"):
            return 400, {}, b""
        return (200, {}, b"") if sent else bearer(f'realm="{other.url}/token/",service="p"')

    registry.respond = respond
    other.respond = lambda *_: (200, {}, b'{"token": "t0k"}')
    assert RegistryProver().prove(credential(registry.host, "AWS")).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "message",
    [
        "no such user ci",
        f"wrong: ci:{SECRET}",
        f"wrong: {SECRET}",
        f"Authorization: {Login(credential('x')).basic}",
        "AUTH\r\nX: y\x1b[31m",
    ],
)
@pytest.mark.parametrize("status", [401, 403])
def test_what_the_registry_said(registry: Registry, status: int, message: str) -> None:
    """Its sentence is passed on in one printable line, without the login that it repeats."""
    registry.respond = basic(status, errors(message=message))
    detail = RegistryProver().prove(credential(registry.host)).detail
    assert detail.isprintable()
    assert SECRET not in detail
    assert "ci" not in detail.partition("(")[2].split()
    assert Login(credential("x")).basic.split()[1] not in detail
    assert "(" in detail


SAID = {
    "a registry's": errors(message="authentication required"),
    "OAuth's": b'{"error": "x", "error_description": "authentication required"}',
    "Quay's": b'{"error": "authentication required"}',
    "an API gateway's": b'{"message": "authentication required"}',
    "Docker Hub's": b'{"details": "authentication required"}',
    "plain text": b"authentication required\n",
    "a code alone": b'{"errors": [{"code": "authentication required"}]}',
}


@pytest.mark.parametrize("body", SAID.values(), ids=SAID)
def test_where_the_sentence_is(registry: Registry, body: bytes) -> None:
    """Registries and token services write it in different places."""
    registry.respond = basic(401, body)
    assert "(authentication required)" in RegistryProver().prove(credential(registry.host)).detail


def test_asks_nothing_twice(registry: Registry) -> None:
    """A Basic registry sees two requests: one for the challenge, one with the credential."""
    RegistryProver().prove(credential(registry.host))
    assert [bool(authorization) for _, authorization in registry.asked] == [False, True]


def test_nobody_listens() -> None:
    """A registry that is not there tells nothing about the credential."""
    proof = RegistryProver().prove(credential(f"127.0.0.1:{free_port()}"))
    assert (proof.verdict, proof.detail) == (Verdict.UNKNOWN, "connection refused")


def test_no_time_is_left(registry: Registry) -> None:
    """A registry is not asked any more once the time is over."""
    proof = RegistryProver(limits=Limits(overall=0)).prove(credential(registry.host))
    assert (proof.verdict, proof.detail) == (Verdict.UNKNOWN, "no answer within 0 s")
    assert registry.asked == []


def test_name_not_known() -> None:
    """A registry whose name can't be resolved tells nothing about the credential."""
    proof = RegistryProver(limits=Limits(overall=4)).prove(credential("registry.invalid"))
    assert proof.verdict is Verdict.UNKNOWN


def test_keeps_no_cookie(registry: Registry) -> None:
    """A session cookie of one proof lets no wrong credential pass."""
    registry.respond = basic(200, headers={"Set-Cookie": "sid=1; Path=/"})
    prover = RegistryProver()
    for _ in range(2):
        assert prover.prove(credential(registry.host)).verdict is Verdict.ACCEPTED
    assert [one.cookie for one in registry.requests] == [None] * 4
