"""Which registries a token of ECR is for, and where it is asked for."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from rotator.config.sources import EcrPublicSourceSettings, EcrSourceSettings
from rotator.core.errors import TemporaryError
from rotator.core.model import Verdict
from rotator.registry.prover import RegistryProver
from rotator.sources.ecr import build
from tests.fakes.ecr import FakeEcr, key_in_environment
from tests.unit.sources.ecr.endpoint import error_of, now, source


def test_one_token_for_all_accounts(fake: FakeEcr) -> None:
    """One call gives every account's registry the same login, for twelve hours."""
    accounts = ("210987654321", "012345670123")
    credentials = source(fake, accounts=accounts).fetch([])
    assert [one.registry for one in credentials] == [
        "012345670123.dkr.ecr.eu-west-1.amazonaws.com",
        "210987654321.dkr.ecr.eu-west-1.amazonaws.com",
    ]
    assert {one.username for one in credentials} == {"AWS"}
    assert {one.password.reveal() for one in credentials} == set(fake.tokens)
    assert {one.expires_at for one in credentials} == set(fake.tokens.values())
    assert fake.calls == 1


def test_without_accounts_the_answer_names_the_host(fake: FakeEcr) -> None:
    """The registry is the answer's proxyEndpoint, with its port, and it accepts the token."""
    made = source(fake)
    assert made.registries is None
    (credential,) = made.fetch([])
    assert credential.registry == fake.host
    assert RegistryProver().prove(credential).verdict is Verdict.ACCEPTED
    fake.end_tokens()
    assert RegistryProver().prove(credential).verdict is Verdict.REJECTED


DOMAINS = {
    "eu-west-1": "amazonaws.com",
    "us-gov-west-1": "amazonaws.com",
    "cn-north-1": "amazonaws.com.cn",
    "cn-northwest-1": "amazonaws.com.cn",
    "eusc-de-east-1": "amazonaws.eu",
    "us-iso-east-1": "c2s.ic.gov",
    "us-isob-east-1": "sc2s.sgov.gov",
}


@pytest.mark.parametrize(("region", "domain"), DOMAINS.items(), ids=DOMAINS)
def test_domain_follows_the_partition(fake: FakeEcr, region: str, domain: str) -> None:
    """The registries of every AWS partition have the domain of that partition."""
    (credential,) = source(fake, region=region, accounts=("123456789012",)).fetch([])
    assert credential.registry == f"123456789012.dkr.ecr.{region}.{domain}"


ENDPOINTS = {
    "https://ecr-fips.us-east-1.amazonaws.com": "dkr.ecr-fips.us-east-1.amazonaws.com",
    "https://api.ecr-fips.us-east-1.amazonaws.com": "dkr.ecr-fips.us-east-1.amazonaws.com",
    "https://ecr.us-east-1.api.aws": "dkr-ecr.us-east-1.on.aws",
    "https://ecr-fips.us-east-1.api.aws": "dkr-ecr-fips.us-east-1.on.aws",
    "https://ecr.cn-north-1.api.amazonwebservices.com.cn": (
        "dkr-ecr.cn-north-1.on.amazonwebservices.com.cn"
    ),
    "https://vpce-1.api.ecr.eu-west-1.vpce.amazonaws.com": "dkr.ecr.eu-west-1.amazonaws.com",
}


@pytest.mark.parametrize(("endpoint", "hosts"), ENDPOINTS.items(), ids=ENDPOINTS)
def test_registries_go_with_the_endpoint(endpoint: str, hosts: str) -> None:
    """Jobs that use FIPS or dual-stack endpoints pull from the hosts of the same kind."""
    region = next(part for part in hosts.split(".") if part.count("-") == 2 and "ecr" not in part)
    settings = EcrSourceSettings(
        name="ecr", region=region, accounts=("123456789012",), endpoint_url=endpoint
    )
    assert settings.known_registries() == {f"123456789012.{hosts}"}


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        ("AWS_USE_FIPS_ENDPOINT", "api.ecr-fips.us-east-1.amazonaws.com"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "ecr.us-east-1.api.aws"),
    ],
)
def test_the_sdk_s_own_settings_choose_the_endpoint(
    monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    """FIPS and dual stack, as the SDK is told by its environment, lead to other addresses."""
    key_in_environment(monkeypatch)
    monkeypatch.setenv(variable, "true")
    with socket.create_server(("127.0.0.1", 0)) as proxy, ThreadPoolExecutor(1) as pool:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        asked = pool.submit(first_line, proxy)
        error = error_of(build(EcrSourceSettings(name="ecr", region="us-east-1"), now))
        assert asked.result(10).startswith(f"CONNECT {address}:443")
    assert isinstance(error, TemporaryError)


def first_line(proxy: socket.socket) -> str:
    """Return what a client asks a proxy for, and hang up."""
    connection, _ = proxy.accept()
    with connection:
        return connection.recv(4096).decode().partition("\r\n")[0]


def test_public(fake: FakeEcr) -> None:
    """ECR Public has one registry, and an answer of another shape."""
    made = build(EcrPublicSourceSettings(name="public", endpoint_url=fake.url), now)
    assert [one.registry for one in made.fetch([])] == ["public.ecr.aws"]
