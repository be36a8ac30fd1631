"""To whom the proof shows a credential, and to whom not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.model import Verdict
from rotator.registry.prover import RegistryProver
from tests.unit.registry.stand_in import PAGE, SECRET, basic, bearer, credential, errors

if TYPE_CHECKING:
    from tests.unit.registry.stand_in import Registry, Replied

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
