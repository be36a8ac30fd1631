"""Which endpoints are used, and which registries go with them, as AWS documents it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rotator.aws.environment import aws_stamp
from rotator.config.sources import EcrPublicSourceSettings, EcrSourceSettings
from tests.fakes.ecr import only_aws
from tests.privileges import obey_modes

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "123456789012"


def hosts(region: str = "us-east-1", **settings: Any) -> frozenset[str] | None:
    """Return the registries of one account, without the account."""
    made = EcrSourceSettings(region=region, accounts=(ACCOUNT,), **settings)
    return made.known_registries()


def test_a_home_that_may_not_be_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the SDK left there, it can't be used now, and that is no failure."""
    (tmp_path / ".aws").mkdir(mode=0)
    monkeypatch.setenv("HOME", str(tmp_path))
    obey_modes(on=True)
    try:
        assert "missing" in aws_stamp()
        assert aws_stamp() == aws_stamp()
    finally:
        obey_modes(on=False)


REGISTRIES = {
    ("us-east-1", False, False): "dkr.ecr.us-east-1.amazonaws.com",
    ("us-east-1", True, False): "dkr.ecr-fips.us-east-1.amazonaws.com",
    ("us-east-1", False, True): "dkr-ecr.us-east-1.on.aws",
    ("us-east-1", True, True): "dkr-ecr-fips.us-east-1.on.aws",
    ("us-gov-west-1", True, False): "dkr.ecr-fips.us-gov-west-1.amazonaws.com",
    ("us-gov-west-1", True, True): "dkr-ecr-fips.us-gov-west-1.on.aws",
    ("cn-north-1", False, True): "dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
    ("eusc-de-east-1", False, True): "dkr-ecr.eusc-de-east-1.on.amazonwebservices.eu",
    ("us-iso-east-1", True, False): "dkr.ecr-fips.us-iso-east-1.c2s.ic.gov",
    ("us-isob-east-1", False, True): "dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
    ("us-isof-south-1", False, False): "dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
    ("eu-isoe-west-1", False, False): "dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
}


@pytest.mark.parametrize(("kind", "host"), REGISTRIES.items())
def test_registries_by_key(kind: tuple[str, bool, bool], host: str) -> None:
    """The keys decide, in every partition."""
    region, fips, dual = kind
    found = hosts(region, use_fips_endpoint=fips, use_dualstack_endpoint=dual)
    assert found == {f"{ACCOUNT}.{host}"}


@pytest.mark.parametrize("where", ["environment", "default", "profile", "AWS_PROFILE"])
@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("use_fips_endpoint", "dkr.ecr-fips.us-east-1.amazonaws.com"),
        ("use_dualstack_endpoint", "dkr-ecr.us-east-1.on.aws"),
    ],
)
def test_aws_s_own_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, key: str, host: str
) -> None:
    """Environment and profile decide where the configuration says nothing; a key is above them."""
    config = tmp_path / "config"
    config.write_text(f"[default]\n{key} = true\n[profile ci]\n{key} = True\n[profile x]\n")
    file = {} if where == "environment" else {"AWS_CONFIG_FILE": str(config)}
    only_aws(monkeypatch, **file)
    if where == "environment":
        monkeypatch.setenv(f"AWS_{key.upper()}", "true")
    if where == "AWS_PROFILE":
        monkeypatch.setenv("AWS_PROFILE", "ci")
    profile = {"profile": "ci"} if where == "profile" else {}
    assert hosts(**profile) == {f"{ACCOUNT}.{host}"}
    assert hosts(**profile, **{key: False}) == {f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"}
    if where == "profile":
        assert hosts(profile="x") == {f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"}


@pytest.mark.parametrize("text", ["no section", "\xff\xfe", "[a\n", "[profile ci]\nx"])
def test_a_broken_file_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """What is wrong with it is said at the fetch, not while the configuration is read."""
    config = tmp_path / "config"
    config.write_bytes(text.encode("latin-1"))
    only_aws(monkeypatch, AWS_CONFIG_FILE=str(config))
    assert hosts() == {f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"}


def test_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """ECR Public has a registry of its own for IPv4 and IPv6."""
    only_aws(monkeypatch)
    assert EcrPublicSourceSettings().known_registries() == {"public.ecr.aws"}
    dual = EcrPublicSourceSettings(use_dualstack_endpoint=True, registries=("mirror.corp",))
    assert dual.known_registries() == {"ecr-public.aws.com", "mirror.corp"}


def test_further_hosts() -> None:
    """A PrivateLink name and a reverse proxy take the same token."""
    found = hosts(registries=("ecr.corp.example.com", "vpce-1.example.com:8443"))
    assert found == {
        f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com",
        "ecr.corp.example.com",
        "vpce-1.example.com:8443",
    }
