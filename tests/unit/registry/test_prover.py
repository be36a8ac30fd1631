"""The proof of a credential: what is asked, and what the answers mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.model import Verdict
from rotator.http.client import Limits
from rotator.registry.login import Login
from rotator.registry.prover import RegistryProver
from tests.support import free_port
from tests.unit.registry.stand_in import SECRET, basic, bearer, credential, errors

if TYPE_CHECKING:
    from tests.unit.registry.stand_in import Registry, Replied

PAGE = b"<!DOCTYPE html><title>Access denied</title>"
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


WITHOUT_LOGIN = {
    "it is a page": (200, {}, PAGE),
    "it is a throttle": (429, {}, b""),
    "a proxy wants a login": (407, {}, b""),
    "it has no challenge": (401, {}, b""),
    "it wants something else": (401, {"WWW-Authenticate": "Negotiate"}, b""),
    "it is no registry": (404, {}, b""),
    "it is forbidden to everybody": (403, {}, errors()),
    "it is down": (503, {}, b""),
    "it redirects elsewhere": (302, {"Location": "https://elsewhere.example/"}, b""),
    "it redirects nowhere": (302, {}, b""),
    "it redirects to another port": (302, {"Location": "http://127.0.0.1:1/v2/"}, b""),
    "it redirects to another scheme": (302, {"Location": "ftp://127.0.0.1/"}, b""),
    "it redirects to no URL": (302, {"Location": "http://[::1"}, b""),
    "it redirects to a port that is none": (302, {"Location": "http://127.0.0.1:x/"}, b""),
    "it redirects for ever": (302, {"Location": "/v2/"}, b""),
    "its realm is missing": (401, {"WWW-Authenticate": "Bearer service=s"}, b""),
    "its realm is no URL": (401, {"WWW-Authenticate": 'Bearer realm="http://[::1"'}, b""),
    "its realm is relative": (401, {"WWW-Authenticate": 'Bearer realm="/token"'}, b""),
    "its realm has a login": (
        401,
        {"WWW-Authenticate": 'Bearer realm="http://a:b@127.0.0.1/"'},
        b"",
    ),
    "its realm is a file": (401, {"WWW-Authenticate": 'Bearer realm="file:///etc/passwd"'}, b""),
    "its realm is elsewhere": (
        401,
        {"WWW-Authenticate": 'Bearer realm="https://a.example/t"'},
        b"",
    ),
}


@pytest.mark.parametrize("answer", WITHOUT_LOGIN.values(), ids=WITHOUT_LOGIN)
def test_offers_no_credential(registry: Registry, answer: Replied) -> None:
    """What asks for no login that may be offered gets none, and nothing is known."""
    registry.respond = lambda _path, _authorization: answer
    proof = RegistryProver().prove(credential(registry.host))
    assert proof.verdict is Verdict.UNKNOWN
    assert proof.detail
    assert not registry.saw_login()


def test_follows_its_own_redirect(registry: Registry) -> None:
    """A redirect within the registry, such as /v2 to /v2/, is followed with the credential."""
    challenge = {"WWW-Authenticate": "Basic realm=x"}

    def respond(path: str, authorization: str) -> Replied:
        if path == "/v2/":
            return 301, {"Location": "/registry/v2/"}, b""
        return (200, {}, b"{}") if authorization else (401, challenge, b"")

    registry.respond = respond
    assert RegistryProver().prove(credential(registry.host)).verdict is Verdict.ACCEPTED


def test_takes_no_credential_along_to_another_host(registry: Registry, other: Registry) -> None:
    """A redirect that comes after the credential was offered is not followed with it."""
    registry.respond = basic(307, headers={"Location": f"{other.url}/v2/"})
    proof = RegistryProver().prove(credential(registry.host))
    assert proof.verdict is Verdict.UNKNOWN
    assert "redirects" in proof.detail
    assert other.asked == []


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


def test_a_secret_in_a_redirect(registry: Registry) -> None:
    """A registry that redirects to a host named like the password gets it into no message."""
    registry.respond = basic(302, headers={"Location": f"https://{SECRET}.example.com/"})
    proof = RegistryProver().prove(credential(registry.host))
    assert (proof.verdict, SECRET in proof.detail) == (Verdict.UNKNOWN, False)
    assert "redirects to ***.example.com" in proof.detail


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_form_is_sent_on(registry: Registry, other: Registry, status: int) -> None:
    """An identity token goes to the token service alone, whatever that answers."""
    other.respond = lambda *_: (status, {"Location": f"{registry.url}/thief"}, b"")
    registry.respond = lambda *_: bearer(f'realm="{other.url}/token"')
    proof = RegistryProver().prove(credential(registry.host, "<token>"))
    assert (proof.verdict, "redirects" in proof.detail) == (Verdict.UNKNOWN, True)
    assert not registry.saw_login()


@pytest.mark.parametrize("answer", [(200, {}, b"{}"), basic(200)("", "")])
def test_no_identity_token_where_none_is_taken(registry: Registry, answer: Replied) -> None:
    """Nobody but a token service knows what to do with one."""
    registry.respond = lambda *_: answer
    proof = RegistryProver().prove(credential(registry.host, "<token>"))
    assert (proof.verdict, "identity token" in proof.detail) == (Verdict.UNKNOWN, True)
    assert not registry.saw_login()


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
