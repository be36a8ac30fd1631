"""The proof's way to a registry: TLS, proxies, and where no login is sent."""

from __future__ import annotations

import base64
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from rotator.core.model import Verdict
from rotator.registry.prover import RegistryProver
from tests.fakes.certificates import Pki
from tests.integration.registry_servers import CHALLENGE, QUICK, Server, answer, server
from tests.unit.registry.stand_in import SECRET, credential

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from threading import Event


def always(reply: bytes) -> Callable[..., None]:
    """Give the same answer to everything."""
    return lambda connection, _request, _closing: connection.sendall(reply)


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
