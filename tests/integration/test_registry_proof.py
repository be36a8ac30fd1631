"""The proof against real registries, and against servers that mean harm."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import time
import tracemalloc
import zlib
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotator.core.model import Credential, Secret, Verdict
from rotator.http.client import Limits
from rotator.registry import RegistryProver
from tests.support import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.docker_registry import DockerRegistry

SECRET = "s3cr3t-of-ci"
QUICK = Limits(connect=0.5, read=0.5, overall=1.0)
Hostile = "Callable[[socket.socket, bytes, Event], None]"


def credential(registry: str, user: str = "ci", password: str = SECRET) -> Credential:
    """Return a login for this registry."""
    return Credential(registry, user, Secret(password), NOW)


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


@contextmanager
def server(
    act: Callable[[socket.socket, bytes, Event], None], tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Listen on loopback; let `act` answer each connection, given what it sent first."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
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
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def answer(status: str, headers: str = "", body: bytes = b"") -> bytes:
    """Return a whole answer."""
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


CHALLENGE = 'WWW-Authenticate: Basic realm="r"\r\n'


def after_login(send: Callable[[socket.socket, Event], None]) -> Callable[..., None]:
    """Challenge first; do harm once the credential was offered."""

    def act(connection: socket.socket, request: bytes, closing: Event) -> None:
        if b"Authorization:" in request:
            send(connection, closing)
        else:
            connection.sendall(answer("401 Unauthorized", CHALLENGE))

    return act


def for_ever(connection: socket.socket, closing: Event, block: bytes, pause: float = 0) -> None:
    """Send a block again and again, until the other side has had enough."""
    while not closing.wait(pause):
        connection.sendall(block)


def packed(mebibytes: int) -> bytes:
    """Return this much white space as gzip has it, made without holding it all."""
    packer = zlib.compressobj(wbits=31)
    return (
        packer.compress(b"")
        + b"".join(packer.compress(b" " * 1024 * 1024) for _ in range(mebibytes))
        + packer.flush()
    )


BOMB = packed(32)


def bomb(connection: socket.socket, _closing: Event) -> None:
    """Send a small answer that becomes 32 MiB."""
    connection.sendall(answer("403 Forbidden", "Content-Encoding: gzip\r\n", BOMB))


def endless(status: str) -> Callable[[socket.socket, Event], None]:
    """Send a body that never ends."""

    def send(connection: socket.socket, closing: Event) -> None:
        connection.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())
        for_ever(connection, closing, b"x" * 65536)

    return send


def endless_chunks(connection: socket.socket, closing: Event) -> None:
    """Send chunks for ever."""
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n")
    for_ever(connection, closing, b"1000\r\n" + b"x" * 4096 + b"\r\n")


def endless_redirect_body(connection: socket.socket, closing: Event) -> None:
    """Redirect with a body that never ends."""
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\n\r\n")
    for_ever(connection, closing, b"x" * 65536)


def slow_status(connection: socket.socket, closing: Event) -> None:
    """Send the first line a byte at a time."""
    for_ever(connection, closing, b"H", 0.1)


def slow_headers(connection: socket.socket, closing: Event) -> None:
    """Send headers a byte at a time."""
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\n")
    for_ever(connection, closing, b"x", 0.1)


def slow_body(connection: socket.socket, closing: Event) -> None:
    """Send a body a byte at a time."""
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 60000\r\n\r\n")
    for_ever(connection, closing, b"x", 0.1)


def many_headers(connection: socket.socket, closing: Event) -> None:
    """Send headers for ever."""
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\n")
    for_ever(connection, closing, b"X-More: " + b"y" * 1000 + b"\r\n")


def endless_header(connection: socket.socket, closing: Event) -> None:
    """Send one header that never ends."""
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nX-More: ")
    for_ever(connection, closing, b"y" * 65536)


def continues(connection: socket.socket, closing: Event) -> None:
    """Say for ever that there is more to come."""
    for_ever(connection, closing, b"HTTP/1.1 100 Continue\r\n\r\n")


def silent(_connection: socket.socket, closing: Event) -> None:
    """Say nothing."""
    closing.wait(30)


def broken_gzip(connection: socket.socket, _closing: Event) -> None:
    """Send a body that is not what its header says."""
    connection.sendall(answer("403 Forbidden", "Content-Encoding: gzip\r\n", b"\x1f\x8bnonsense"))


def cut_off(connection: socket.socket, _closing: Event) -> None:
    """End in the middle of the body."""
    connection.sendall(b'HTTP/1.1 403 Forbidden\r\nContent-Length: 900\r\n\r\n{"errors"')
    connection.shutdown(socket.SHUT_RDWR)


HARM = {
    "gzip bomb": bomb,
    "endless body": endless("403 Forbidden"),
    "endless chunks": endless_chunks,
    "endless body of a redirect": endless_redirect_body,
    "slow first line": slow_status,
    "slow headers": slow_headers,
    "slow body": slow_body,
    "endless headers": many_headers,
    "one endless header": endless_header,
    "always to be continued": continues,
    "silence": silent,
    "broken gzip": broken_gzip,
    "cut off": cut_off,
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_survives_harm(harm: Callable[[socket.socket, Event], None]) -> None:
    """Whatever a server does once it has the credential: little time, little memory, unknown."""
    with server(after_login(harm)) as host:
        tracemalloc.start()
        began = time.monotonic()
        proof = RegistryProver(limits=QUICK).prove(credential(host))
        took = time.monotonic() - began
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert proof.verdict is Verdict.UNKNOWN
    assert proof.detail
    assert SECRET not in proof.detail
    assert took < QUICK.overall + 1
    assert peak < 8 * 1024 * 1024


def test_reads_what_is_packed() -> None:
    """A registry that compresses without being asked is understood."""
    errors = zlib.compress(b'{"errors": [{"code": "DENIED"}]}', wbits=31)

    def packed_errors(connection: socket.socket, _closing: Event) -> None:
        connection.sendall(answer("403 Forbidden", "Content-Encoding: gzip\r\n", errors))

    with server(after_login(packed_errors)) as host:
        assert RegistryProver().prove(credential(host)).verdict is Verdict.REJECTED


def test_reads_no_more_of_an_accepted_login() -> None:
    """A 200 whose body never ends is still an acceptance, read to 64 KiB and no further."""
    with server(after_login(endless("200 OK"))) as host:
        proof = RegistryProver(limits=QUICK).prove(credential(host))
    assert proof.verdict is Verdict.ACCEPTED


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(garbage=st.binary(max_size=300), status=st.sampled_from([b"", b"HTTP/1.1 401 No\r\n"]))
def test_survives_garbage(garbage: bytes, status: bytes) -> None:
    """Any bytes for an answer leave the proof unknown, and the credential at home."""
    requests = []

    def act(connection: socket.socket, request: bytes, _closing: Event) -> None:
        requests.append(request)
        connection.sendall(status + garbage)
        connection.shutdown(socket.SHUT_RDWR)

    with server(act) as host:
        proof = RegistryProver(limits=QUICK).prove(credential(host))
    assert proof.verdict is Verdict.UNKNOWN
    assert not any(b"Authorization" in request for request in requests)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(challenge=st.text(alphabet=st.characters(codec="latin-1", exclude_categories=["Cc"])))
def test_survives_garbage_challenges(challenge: str) -> None:
    """Any challenge is either met with the credential, at the registry, or not at all."""

    def act(connection: socket.socket, request: bytes, _closing: Event) -> None:
        status = "200 OK" if b"Authorization" in request else "401 Unauthorized"
        header = b"WWW-Authenticate: " + challenge.encode("latin-1") + b"\r\n"
        head, _, tail = answer(status).partition(b"\r\n")
        connection.sendall(head + b"\r\n" + header + tail)

    with server(act) as host:
        proof = RegistryProver(limits=QUICK).prove(credential(host))
    assert proof.verdict in (Verdict.UNKNOWN, Verdict.ACCEPTED)


class Authority:
    """A certificate for 127.0.0.1 that signs itself."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
        now = datetime.now(UTC)
        address = x509.IPAddress(ip_address("127.0.0.1"))
        names = x509.SubjectAlternativeName([x509.DNSName("registry.test"), address])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.file = folder / "ca.pem"
        self.file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(self.file)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority that nobody trusts yet."""
    return Authority(tmp_path)


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


def test_trusts_the_configured_authority(authority: Authority, elsewhere: None) -> None:
    """`ca_file` is trusted; without it, the credential is not offered."""
    with server(accepting, authority.server) as host:
        name = f"registry.test:{host.partition(':')[2]}"
        trusting = RegistryProver(ca_file=authority.file).prove(credential(name))
        careful = RegistryProver().prove(credential(name))
        lax = RegistryProver(insecure=[name]).prove(credential(name))
    assert trusting.verdict is Verdict.ACCEPTED
    assert (careful.verdict, "not trusted" in careful.detail) == (Verdict.UNKNOWN, True)
    assert lax.verdict is Verdict.ACCEPTED


def test_offers_nothing_in_plain(elsewhere: None) -> None:
    """A registry off loopback that speaks no TLS sees no request, unless it is listed."""
    requests = []

    def act(connection: socket.socket, request: bytes, closing: Event) -> None:
        requests.append(request)
        accepting(connection, request, closing)

    with server(act) as host:
        name = f"registry.test:{host.partition(':')[2]}"
        assert RegistryProver().prove(credential(name)).verdict is Verdict.UNKNOWN
        assert requests == []
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
    requests = []

    def act(connection: socket.socket, request: bytes, _closing: Event) -> None:
        requests.append(request)
        connection.sendall(answer("200 OK"))

    with server(act) as host:
        name = f"registry.test:{host.partition(':')[2]}"
        RegistryProver(insecure=[name]).prove(credential(name))
    sent = b"".join(requests)
    assert base64.b64encode(b"ci:" + SECRET.encode()) in sent
    assert base64.b64encode(b"other:s3cr3t-netrc") not in sent


def test_sends_nothing_to_a_realm_in_plain(authority: Authority, elsewhere: None) -> None:
    """A registry that names a token service without TLS does not get the credential sent there."""
    requests = []

    def tokens(connection: socket.socket, request: bytes, _closing: Event) -> None:
        requests.append(request)
        connection.sendall(answer("200 OK", body=json.dumps({"token": "t"}).encode()))

    with server(tokens) as service:
        realm = f'WWW-Authenticate: Bearer realm="http://registry.test:{service[10:]}/token"\r\n'

        def act(connection: socket.socket, _request: bytes, _closing: Event) -> None:
            connection.sendall(answer("401 Unauthorized", realm))

        with server(act, authority.server) as host:
            name = f"registry.test:{host.partition(':')[2]}"
            proof = RegistryProver(ca_file=authority.file).prove(credential(name))
    assert proof.verdict is Verdict.UNKNOWN
    assert "not safe" in proof.detail
    assert requests == []


def test_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry elsewhere is asked through the environment's proxy, whose 403 is no verdict."""
    requests = []

    def proxy(connection: socket.socket, request: bytes, _closing: Event) -> None:
        requests.append(request)
        connection.sendall(answer("403 Forbidden", body=b"<html>blocked</html>"))

    with server(proxy) as address:
        monkeypatch.setenv("https_proxy", f"http://ci:s3cr3t-proxy@{address}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        proof = RegistryProver(limits=QUICK).prove(credential("registry.example"))
    assert proof.verdict is Verdict.UNKNOWN
    assert "proxy" in proof.detail
    assert "s3cr3t-" not in proof.detail
    assert requests[0].startswith(b"CONNECT registry.example:443 ")


def test_asks_loopback_without_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry on loopback is never asked through a proxy: it would see the login in plain."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with server(accepting) as host:
        assert RegistryProver().prove(credential(host)).verdict is Verdict.ACCEPTED


def test_proves_docker_hub_at_its_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker Hub's key in `auths` is no host to ask: its registry is."""
    requests = []

    def proxy(connection: socket.socket, request: bytes, _closing: Event) -> None:
        requests.append(request)
        connection.sendall(answer("502 Bad Gateway"))

    with server(proxy) as address:
        monkeypatch.setenv("https_proxy", f"http://{address}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        RegistryProver(limits=QUICK).prove(credential("https://index.docker.io/v1/"))
    assert requests[0].startswith(b"CONNECT registry-1.docker.io:443 ")
