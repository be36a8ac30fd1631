"""The proof: reading challenges, judging answers, and where a credential may go."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.core.model import Credential, Secret, Verdict
from rotator.http.client import HEADER_LIMIT, Limits, NoAnswerError
from rotator.registry import Challenge, RegistryProver, challenges
from tests.fakes.certificates import Pki
from tests.support import NOW, free_port, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "s3cr3t-of-ci"
Answered = tuple[int, dict[str, str], bytes]


class Registry:
    """A registry that answers what a test says, and notes where it saw a credential."""

    def __init__(self) -> None:
        self.respond: Callable[[str, str], Answered] = basic(200)
        self.asked: list[tuple[str, str]] = []
        handler = type("Handler", (Handler,), {"registry": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}"

    def saw_login(self) -> bool:
        """Tell whether any request had credentials."""
        return any(authorization for _, authorization in self.asked)


class Handler(BaseHTTPRequestHandler):
    """Hangs up on TLS, answers GET."""

    registry: Registry

    def handle(self) -> None:
        """Hang up at once on who speaks TLS."""
        if self.connection.recv(1, 2) != b"\x16":
            super().handle()

    def do_GET(self) -> None:
        """Answer what the test says."""
        authorization = self.headers.get("Authorization", "")
        self.registry.asked.append((self.path, authorization))
        status, headers, body = self.registry.respond(self.path, authorization)
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def basic(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None
) -> Callable[[str, str], Answered]:
    """Challenge with Basic; answer an offered credential with this."""
    challenge = {"WWW-Authenticate": 'Basic realm="tests"'}
    return lambda _, authorization: (
        (status, headers or {}, body) if authorization else (401, challenge, b"")
    )


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Return a registry on loopback."""
    made = Registry()
    Thread(target=made.server.serve_forever, args=(0.01,), daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def other() -> Iterator[Registry]:
    """Return another server on loopback."""
    made = Registry()
    Thread(target=made.server.serve_forever, args=(0.01,), daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


def credential(registry: str) -> Credential:
    """Return a login for this registry."""
    return Credential(registry, "ci", Secret(SECRET), NOW)


def errors(code: str = "DENIED", message: str = "no") -> bytes:
    """Return a registry's error document."""
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


CHALLENGES = {
    "nothing": ("", []),
    "basic": ('Basic realm="r"', [("basic", {"realm": "r"})]),
    "any case": ('bASIC Realm="R"', [("basic", {"realm": "R"})]),
    "no realm": ("Basic", [("basic", {})]),
    "bearer": (
        'Bearer realm="https://a/token",service="s",scope="repository:a:pull,push"',
        [
            (
                "bearer",
                {"realm": "https://a/token", "service": "s", "scope": "repository:a:pull,push"},
            )
        ],
    ),
    "two in one": (
        'Bearer realm="https://a", Basic realm="b"',
        [("bearer", {"realm": "https://a"}), ("basic", {"realm": "b"})],
    ),
    "unquoted": (
        "Bearer realm=https://a,service=s",
        [("bearer", {"realm": "https://a", "service": "s"})],
    ),
    "escaped": (r'Basic realm="a\"b\\c"', [("basic", {"realm": 'a"b\\c'})]),
    "comma in quotes": ('Basic realm="a, b", x=y', [("basic", {"realm": "a, b", "x": "y"})]),
    "spaces": ('  Basic   realm = "r" ', [("basic", {"realm": "r"})]),
    "twice": ('Bearer realm="https://a",realm="https://b"', [("bearer", {"realm": "https://a"})]),
    "parameter first": ('realm="a", Basic', [("basic", {})]),
    "others": (
        'Negotiate abc, Digest nonce="n", Basic realm="r"',
        [("negotiate", {}), ("abc", {}), ("digest", {"nonce": "n"}), ("basic", {"realm": "r"})],
    ),
    "unclosed quote": ('Basic realm="abc', [("basic", {"realm": ""}), ("abc", {})]),
    "garbage": ("\x00\xff(((", []),
}


@pytest.mark.parametrize(("header", "expected"), CHALLENGES.values(), ids=CHALLENGES)
def test_reads_challenges(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    """A header is read as the standard has it, and what is none gives no challenge."""
    assert challenges(header) == [Challenge(*one) for one in expected]


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=8192))
def test_reads_any_header(header: str) -> None:
    """No header breaks the reader, and it finds no more than eight challenges."""
    assert len(challenges(header)) <= 8


@pytest.mark.parametrize(
    "unit", ['"', "\\", "a=", 'a="', " ", ",", "a ", '\\"', "= ", 'a="\\', "a, "]
)
def test_reads_hostile_headers_quickly(unit: str) -> None:
    """A header made to send the reader back and forth is read in no time."""
    began = time.process_time()
    challenges((unit * HEADER_LIMIT)[:HEADER_LIMIT])
    assert time.process_time() - began < 0.2


@given(realm=st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40))
def test_reads_back_any_quoted_realm(realm: str) -> None:
    """A realm that is quoted as the standard says comes out as it went in."""
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    found = challenges(f'Bearer realm="{quoted}", service="s"')
    assert found == [Challenge("bearer", {"realm": realm, "service": "s"})]


ANSWERS = {
    "accepted": (200, b"{}", Verdict.ACCEPTED),
    "rejected": (401, b"", Verdict.REJECTED),
    "rejected in the registry's words": (403, errors(), Verdict.REJECTED),
    "expired": (403, errors(message="Your authorization token has expired."), Verdict.REJECTED),
    "a proxy's 403": (403, b"<html>denied</html>", Verdict.UNKNOWN),
    "an empty 403": (403, b"", Verdict.UNKNOWN),
    "a JSON 403 of something else": (403, b'{"error": "denied"}', Verdict.UNKNOWN),
    "a 403 with empty errors": (403, b'{"errors": []}', Verdict.UNKNOWN),
    "a 403 with errors of another shape": (403, b'{"errors": ["no"]}', Verdict.UNKNOWN),
    "a 403 of nested lists": (403, b"[" * 60_000, Verdict.UNKNOWN),
    "bad request": (400, errors(), Verdict.UNKNOWN),
    "not found": (404, b"", Verdict.UNKNOWN),
    "throttled": (429, errors("TOOMANYREQUESTS"), Verdict.UNKNOWN),
    "broken": (500, b"", Verdict.UNKNOWN),
    "bad gateway": (502, b"", Verdict.UNKNOWN),
    "down": (503, b"", Verdict.UNKNOWN),
}


@pytest.mark.parametrize(("status", "body", "verdict"), ANSWERS.values(), ids=ANSWERS)
def test_judges_answers(registry: Registry, status: int, body: bytes, verdict: Verdict) -> None:
    """Only a 401, and a 403 in the registry's own words, are rejections."""
    registry.respond = basic(status, body)
    proof = RegistryProver().prove(credential(registry.host))
    assert proof.verdict is verdict
    assert bool(proof.detail) == (verdict is not Verdict.ACCEPTED)
    assert SECRET not in proof.detail


def bearer(parameters: str) -> Answered:
    """Challenge with Bearer."""
    return 401, {"WWW-Authenticate": f"Bearer {parameters}"}, b""


WITHOUT_LOGIN = {
    "it asks for none": (200, {}, b"{}"),
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
def test_offers_no_credential(registry: Registry, answer: Answered) -> None:
    """What asks for no login that may be offered gets none, and nothing is known."""
    registry.respond = lambda _path, _authorization: answer
    proof = RegistryProver().prove(credential(registry.host))
    assert proof.verdict is Verdict.UNKNOWN
    assert proof.detail
    assert not registry.saw_login()


def test_follows_its_own_redirect(registry: Registry) -> None:
    """A redirect within the registry, such as /v2 to /v2/, is followed with the credential."""
    challenge = {"WWW-Authenticate": "Basic realm=x"}

    def respond(path: str, authorization: str) -> Answered:
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
    "rejected in words": (403, errors(), 200, Verdict.REJECTED),
    "a proxy's 403": (403, b"no", 200, Verdict.UNKNOWN),
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


REALMS = {
    # insecure registries; registry; realm; may it go there?
    "another https host": ((), "r.example", "https://auth.example/token", True),
    "plain http": ((), "r.example", "http://auth.example/token", False),
    "plain http to itself": ((), "r.example", "http://r.example/token", False),
    "loopback of ours": ((), "r.example", "http://127.0.0.1:99/token", False),
    "loopback of ours by TLS": ((), "r.example", "https://localhost:99/token", False),
    "a listed one": (("auth.example",), "r.example", "http://auth.example/token", True),
    "a listed one, another port": (
        ("auth.example",),
        "r.example",
        "http://auth.example:1/t",
        False,
    ),
    "insecure, itself by TLS": (("r.example:5000",), "r.example:5000", "https://r.example/t", True),
    "insecure, itself in plain": (
        ("r.example:5000",),
        "r.example:5000",
        "http://r.example/t",
        False,
    ),
    "insecure, itself as listed": (("r.example",), "r.example", "http://R.example/t", True),
    "insecure, another host by TLS": (("r.example",), "r.example", "https://a.example/t", False),
    "insecure, loopback": (("r.example",), "r.example", "http://127.0.0.1/t", False),
    "loopback to loopback": ((), "127.0.0.1:5000", "http://localhost:99/token", True),
    "loopback to IPv6 loopback": ((), "127.0.0.1:5000", "http://[::1]:99/token", True),
    "loopback to elsewhere": ((), "127.0.0.1:5000", "https://a.example/t", False),
    "loopback to a listed one": (("a.example",), "127.0.0.1:5000", "https://a.example/t", True),
}


@pytest.mark.parametrize(("insecure", "host", "realm", "safe"), REALMS.values(), ids=REALMS)
def test_realm(insecure: tuple[str, ...], host: str, realm: str, safe: bool) -> None:  # noqa: FBT001  a column of the table
    """A credential goes to its registry, and to a realm that the registry named over TLS."""
    prover = RegistryProver(insecure=insecure)
    if safe:
        assert prover._realm(host, realm).hostname
        return
    with pytest.raises(NoAnswerError) as caught:
        prover._realm(host, realm)
    assert "not safe" in caught.value.detail


HOSTS = {
    "a path": ("127.0.0.1:{port}/team/a", Verdict.ACCEPTED),
    "no host": ("", Verdict.UNKNOWN),
    "a login": ("ci@127.0.0.1:{port}", Verdict.UNKNOWN),
    "a space": ("127.0.0.1:{port} ", Verdict.UNKNOWN),
    "a line": ("127.0.0.1:{port}\r\nX: y", Verdict.UNKNOWN),
    "a port that is none": ("127.0.0.1:99999", Verdict.UNKNOWN),
}


@pytest.mark.parametrize(("name", "verdict"), HOSTS.values(), ids=HOSTS)
def test_host(registry: Registry, name: str, verdict: Verdict) -> None:
    """`host/path` is proven at its host; what is no host is never asked."""
    port = str(registry.server.server_port)
    assert RegistryProver().prove(credential(name.format(port=port))).verdict is verdict


def test_asks_nothing_twice(registry: Registry) -> None:
    """A Basic registry sees two requests: one for the challenge, one with the credential."""
    RegistryProver().prove(credential(registry.host))
    assert [bool(authorization) for _, authorization in registry.asked] == [False, True]


def test_nobody_listens() -> None:
    """A registry that is not there tells nothing about the credential."""
    proof = RegistryProver().prove(credential(f"127.0.0.1:{free_port()}"))
    assert (proof.verdict, proof.detail) == (Verdict.UNKNOWN, "connection refused")


def test_name_not_known() -> None:
    """A registry whose name can't be resolved tells nothing about the credential."""
    proof = RegistryProver(limits=Limits(overall=4)).prove(credential("registry.invalid"))
    assert proof.verdict is Verdict.UNKNOWN


def test_authorities_are_read_once_until_they_change(tmp_path: Path) -> None:
    """Reading the system's takes longer than a proof."""
    ca = settled(Pki(tmp_path).ca)
    prover = RegistryProver(ca_file=ca)
    first = prover._trust(lax=False)
    assert prover._trust(lax=False) is first
    assert prover._trust(lax=True) is not first
    settled(ca, 60)
    assert prover._trust(lax=False) is not first


def test_unreadable_ca_file(tmp_path: Path) -> None:
    """A CA file that can't be used is said, and nobody is asked."""
    prover = RegistryProver(ca_file=tmp_path / "none.pem")
    proof = prover.prove(credential("registry.invalid"))
    assert proof.verdict is Verdict.UNKNOWN
    assert "none.pem" in proof.detail


def test_keeps_no_cookie(registry: Registry) -> None:
    """A session cookie of one proof lets no wrong credential pass."""
    registry.respond = basic(200, headers={"Set-Cookie": "sid=1; Path=/"})
    prover = RegistryProver()
    seen: list[str | None] = []
    original = Handler.do_GET

    def noting(self: Handler) -> None:
        seen.append(self.headers.get("Cookie"))
        original(self)

    registry.server.RequestHandlerClass.do_GET = noting  # type: ignore[attr-defined]
    for _ in range(2):
        assert prover.prove(credential(registry.host)).verdict is Verdict.ACCEPTED
    assert seen == [None] * 4
