"""Where a credential may go, and what a registry's name tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.model import Verdict
from rotator.http.client import NoAnswerError
from rotator.registry.address import Access, is_ecr
from rotator.registry.prover import RegistryProver
from tests.unit.registry.stand_in import credential

if TYPE_CHECKING:
    from tests.unit.registry.stand_in import Registry

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
    access = Access(frozenset(insecure))
    if safe:
        assert access.realm(host, realm).hostname
        return
    with pytest.raises(NoAnswerError) as caught:
        access.realm(host, realm)
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
    port = str(registry.port)
    assert RegistryProver().prove(credential(name.format(port=port))).verdict is verdict


@pytest.mark.parametrize(
    ("host", "realm", "ecr"),
    [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "", True),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "", True),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "", True),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "", True),
        ("public.ecr.aws", "https://public.ecr.aws/token/", True),
        ("ecr.corp", "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/", True),
        ("ecr.corp", "ecr", False),
        ("12.dkr.ecr.eu-west-1.amazonaws.com", "", False),
        ("registry.example.com", "https://auth.example.com/", False),
    ],
)
def test_ecr(host: str, realm: str, ecr: bool) -> None:  # noqa: FBT001  a column of the table
    """Amazon's registry is known by its name, or by its challenge behind another name."""
    assert is_ecr(host, {"realm": realm}) is ecr
