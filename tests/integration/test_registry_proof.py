"""The proof against real registries, and against servers that mean harm."""

from __future__ import annotations

import base64
import socket
import time
import tracemalloc
import zlib
from contextlib import ExitStack, contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotator.core.model import Verdict
from rotator.http.client import Limits
from rotator.registry.prover import RegistryProver
from tests.fakes.certificates import Pki
from tests.fakes.harm import MUCH, harms, sending
from tests.unit.registry.stand_in import SECRET, credential

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.docker_registry import DockerRegistry

QUICK = Limits(connect=0.5, read=0.5, overall=1.0)


@pytest.fixture(params=["basic_registry", "token_registry"])
def registry(request: pytest.FixtureRequest) -> DockerRegistry:
    """Return a real registry, one that asks for Basic and one that asks for Bearer."""
    found: DockerRegistry = request.getfixturevalue(request.param)
    return found


def test_accepts_the_right_password(registry: DockerRegistry) -> None:
    """A real registry accepts the login that is right."""
    user = registry.new_user(SECRET)
    proof = RegistryProver().prove(credential(registry.host, user))
    assert (proof.verdict, proof.detail) == (Verdict.ACCEPTED, "")


@pytest.mark.parametrize(
    ("user", "password"),
    [("right", "s3cr3t-wrong"), ("right", ""), ("nobody", SECRET), ("", "")],
    ids=["wrong password", "no password", "unknown user", "nothing"],
)
def test_rejects_the_wrong_login(registry: DockerRegistry, user: str, password: str) -> None:
    """A real registry rejects every login that is wrong, and the proof says why."""
    known = registry.new_user(SECRET)
    given_user = known if user == "right" else user
    proof = RegistryProver().prove(credential(registry.host, given_user, password))
    assert proof.verdict is Verdict.REJECTED
    assert "401" in proof.detail


def test_sees_a_password_change(registry: DockerRegistry) -> None:
    """The same login is accepted before, and rejected after its password changed."""
    user = registry.new_user(SECRET)
    prover = RegistryProver()
    assert prover.prove(credential(registry.host, user)).verdict is Verdict.ACCEPTED
    registry.set_password(user, "s3cr3t-new")
    assert prover.prove(credential(registry.host, user)).verdict is Verdict.REJECTED


def test_identity_tokens(token_registry: DockerRegistry, basic_registry: DockerRegistry) -> None:
    """A real registry takes the token that its token service gives for an identity token."""
    tokens = token_registry.tokens
    assert tokens is not None
    tokens.identity_tokens["s3cr3t-identity"] = token_registry.new_user(SECRET)
    prover = RegistryProver()
    good, wrong = (
        prover.prove(credential(token_registry.host, "<token>", password))
        for password in ("s3cr3t-identity", "s3cr3t-of-yesterday")
    )
    assert good.verdict is Verdict.ACCEPTED
    assert (wrong.verdict, "invalid_grant" in wrong.detail) == (Verdict.REJECTED, True)
    none = prover.prove(credential(basic_registry.host, "<token>", "s3cr3t-identity"))
    assert (none.verdict, "no identity token" in none.detail) == (Verdict.UNKNOWN, True)


class Server:
    """Where it listens, and what it was asked."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.elsewhere = f"registry.test:{port}"
        self.requests: list[bytes] = []


@contextmanager
def server(
    act: Callable[[socket.socket, bytes, Event], None], tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """Listen on loopback; let `act` answer each request."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        found = Server(listener.getsockname()[1])
        closing = Event()
        stack.callback(closing.set)

        def serve(connection: socket.socket) -> None:
            with connection:
                try:
                    if tls is None and connection.recv(1, socket.MSG_PEEK) == b"\x16":
                        return
                    spoken = tls.wrap_socket(connection, server_side=True) if tls else connection
                    with spoken:
                        while request := spoken.recv(65536):
                            found.requests.append(request)
                            act(spoken, request, closing)
                except OSError:
                    return

        def listen() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                Thread(target=serve, args=(connection,), daemon=True).start()

        Thread(target=listen, daemon=True).start()
        stack.callback(listener.shutdown, socket.SHUT_RDWR)
        yield found


def answer(status: str, headers: str = "", body: bytes = b"") -> bytes:
    """Return a whole answer."""
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def always(reply: bytes) -> Callable[..., None]:
    """Give the same answer to everything."""
    return lambda connection, _request, _closing: connection.sendall(reply)


CHALLENGE = 'WWW-Authenticate: Basic realm="r"\r\n'


def after_login(send: Callable[[socket.socket, Event], None]) -> Callable[..., None]:
    """Challenge first; do harm once the credential was offered."""

    def act(connection: socket.socket, request: bytes, closing: Event) -> None:
        if b"Authorization:" in request:
            send(connection, closing)
        else:
            connection.sendall(answer("401 Unauthorized", CHALLENGE))

    return act


HARM = harms(b"HTTP/1.1 403 Forbidden\r\n", 0.1)


@pytest.mark.parametrize("harm", HARM)
def test_survives_harm(harm: str) -> None:
    """Whatever a server does once it has the credential: little time, little memory, unknown."""
    with server(after_login(HARM[harm])) as found:
        tracemalloc.start()
        began = time.monotonic()
        proof = RegistryProver(limits=QUICK).prove(credential(found.host))
        took = time.monotonic() - began
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert proof.verdict is Verdict.UNKNOWN
    assert proof.detail
    assert SECRET not in proof.detail
    assert took < QUICK.overall + 1
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize("harm", ["broken gzip", "slow body", "cut off"])
def test_a_rejection_is_one_whatever_comes_after_it(harm: str) -> None:
    """A 401 says all; its body only says it again."""
    with server(after_login(harms(b"HTTP/1.1 401 No\r\n", 0.1)[harm])) as found:
        proof = RegistryProver(limits=QUICK).prove(credential(found.host))
    assert proof.verdict is Verdict.REJECTED


def test_reads_what_is_packed() -> None:
    """A registry that compresses without being asked is understood."""
    errors = zlib.compress(b'{"errors": [{"code": "DENIED"}]}', wbits=31)

    def packed_errors(connection: socket.socket, _closing: Event) -> None:
        connection.sendall(answer("403 Forbidden", "Content-Encoding: gzip\r\n", errors))

    with server(after_login(packed_errors)) as found:
        assert RegistryProver().prove(credential(found.host)).verdict is Verdict.REJECTED


def test_reads_no_more_of_an_accepted_login() -> None:
    """A 200 whose body never ends is still an acceptance, read to 64 KiB and no further."""
    with server(after_login(sending(b"HTTP/1.1 200 OK\r\n\r\n", MUCH))) as found:
        proof = RegistryProver(limits=QUICK).prove(credential(found.host))
    assert proof.verdict is Verdict.ACCEPTED


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(garbage=st.binary(max_size=300), status=st.sampled_from([b"", b"HTTP/1.1 401 No\r\n"]))
def test_survives_garbage(garbage: bytes, status: bytes) -> None:
    """Any bytes for an answer leave the proof unknown, and the credential at home."""

    def act(connection: socket.socket, _request: bytes, _closing: Event) -> None:
        connection.sendall(status + garbage)
        connection.shutdown(socket.SHUT_RDWR)

    with server(act) as found:
        proof = RegistryProver(limits=QUICK).prove(credential(found.host))
    assert proof.verdict is Verdict.UNKNOWN
    assert not any(b"Authorization" in request for request in found.requests)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(challenge=st.text(alphabet=st.characters(codec="latin-1", exclude_categories=["Cc"])))
def test_survives_garbage_challenges(challenge: str) -> None:
    """Any challenge is either met with the credential, at the registry, or not at all."""

    def act(connection: socket.socket, request: bytes, _closing: Event) -> None:
        status = "200 OK" if b"Authorization" in request else "401 Unauthorized"
        header = b"WWW-Authenticate: " + challenge.encode("latin-1") + b"\r\n"
        head, _, tail = answer(status).partition(b"\r\n")
        connection.sendall(head + b"\r\n" + header + tail)

    with server(act) as found:
        proof = RegistryProver(limits=QUICK).prove(credential(found.host))
    assert proof.verdict in (Verdict.UNKNOWN, Verdict.ACCEPTED)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """Return an authority that nobody trusts yet, and its server's certificate."""
    return Pki(tmp_path)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `registry.test` be this machine, though it is no loopback name."""
    original = socket.getaddrinfo

    def look_up(host: str, *args: object, **named: object) -> object:
        return original("127.0.0.1" if host == "registry.test" else host, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def accepting(connection: socket.socket, request: bytes, _closing: Event) -> None:
    """Be a good Basic registry."""
    good = b"Authorization: Basic" in request
    connection.sendall(answer("200 OK") if good else answer("401 Unauthorized", CHALLENGE))


def test_trusts_the_configured_authority(pki: Pki, elsewhere: None) -> None:
    """`ca_file` is trusted; without it, the credential is not offered."""
    with server(accepting, pki.context()) as found:
        name = found.elsewhere
        trusting = RegistryProver(ca_file=pki.ca).prove(credential(name))
        careful = RegistryProver().prove(credential(name))
        lax = RegistryProver(insecure=[name]).prove(credential(name))
    assert trusting.verdict is Verdict.ACCEPTED
    assert (careful.verdict, "not trusted" in careful.detail) == (Verdict.UNKNOWN, True)
    assert lax.verdict is Verdict.ACCEPTED


def test_offers_nothing_in_plain(elsewhere: None) -> None:
    """A registry off loopback that speaks no TLS sees no request, unless it is listed."""
    with server(accepting) as found:
        name = found.elsewhere
        assert RegistryProver().prove(credential(name)).verdict is Verdict.UNKNOWN
        assert found.requests == []
        lax = RegistryProver(insecure=[name]).prove(credential(name))
    assert lax.verdict is Verdict.ACCEPTED


def test_leaves_netrc_alone(
    elsewhere: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ~/.netrc has for the registry is never sent."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login other password s3cr3t-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with server(always(answer("200 OK"))) as found:
        name = found.elsewhere
        RegistryProver(insecure=[name]).prove(credential(name))
    sent = b"".join(found.requests)
    assert base64.b64encode(b"ci:" + SECRET.encode()) in sent
    assert base64.b64encode(b"other:s3cr3t-netrc") not in sent


def test_sends_nothing_to_a_realm_in_plain(pki: Pki, elsewhere: None) -> None:
    """A registry that names a token service without TLS does not get the credential sent there."""
    with server(always(answer("200 OK", body=b'{"token": "t"}'))) as service:
        realm = f'WWW-Authenticate: Bearer realm="http://{service.elsewhere}/token"\r\n'
        with server(always(answer("401 Unauthorized", realm)), pki.context()) as found:
            proof = RegistryProver(ca_file=pki.ca).prove(credential(found.elsewhere))
    assert proof.verdict is Verdict.UNKNOWN
    assert "not safe" in proof.detail
    assert service.requests == []


@contextmanager
def proxy(monkeypatch: pytest.MonkeyPatch, reply: bytes) -> Iterator[Server]:
    """Stand between this process and everything that is not on loopback."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with server(always(reply)) as found:
        monkeypatch.setenv("https_proxy", f"http://ci:s3cr3t-proxy@{found.host}")
        yield found


def test_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry elsewhere is asked through the environment's proxy, whose 403 is no verdict."""
    with proxy(monkeypatch, answer("403 Forbidden", body=b"<html>blocked</html>")) as found:
        proof = RegistryProver(limits=QUICK).prove(credential("registry.example"))
    assert proof.verdict is Verdict.UNKNOWN
    assert "proxy" in proof.detail
    assert "s3cr3t-" not in proof.detail
    assert found.requests[0].startswith(b"CONNECT registry.example:443 ")


def test_asks_loopback_without_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry on loopback is never asked through a proxy: it would see the login in plain."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with server(accepting) as found:
        assert RegistryProver().prove(credential(found.host)).verdict is Verdict.ACCEPTED


def test_proves_docker_hub_at_its_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker Hub's key in `auths` is no host to ask: its registry is."""
    with proxy(monkeypatch, answer("502 Bad Gateway")) as found:
        RegistryProver(limits=QUICK).prove(credential("https://index.docker.io/v1/"))
    assert found.requests[0].startswith(b"CONNECT registry-1.docker.io:443 ")
