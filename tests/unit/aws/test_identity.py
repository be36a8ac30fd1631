"""An AWS identity that is missing or odd: said for what it is, never a bug, never a prompt."""

from __future__ import annotations

import json
import os
import pty
import time
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from rotator.config.sources import EcrPublicSourceSettings, EcrSourceSettings
from rotator.core.errors import DriverError, LoginRejectedError, Reason
from rotator.sources.ecr import EcrSource
from tests.fakes.ecr import ACCESS_KEY, SECRET_KEY, FakeEcr, key_in_environment, only_aws
from tests.fakes.vault_door import VaultDoor
from tests.integration.vault_tools import vault_source
from tests.support import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = "arn:aws:iam::123456789012:role/pull"
KEYS = f"aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
REASONS = {Reason.LOGIN_REJECTED, Reason.NOT_FOUND, Reason.INVALID, Reason.UNREACHABLE}
NOWHERE = f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEcr]:
    """Return an ECR endpoint, and an environment without any identity."""
    only_aws(monkeypatch)
    with FakeEcr() as made:
        yield made


def source(url: str, **settings: Any) -> EcrSource:
    """Return the source under test."""
    given = {"name": "ecr", "region": "eu-west-1", "endpoint_url": url, **settings}
    return EcrSource(EcrSourceSettings(**given), lambda: datetime.now(UTC), (1.0, 1.0))


# Config file, environment, settings, reason, and what has to be named.
ODD: dict[str, tuple[str, dict[str, str], dict[str, Any], Reason, str]] = {
    "IRSA token missing": ("",
        {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token"}, {},
        Reason.LOGIN_REJECTED, "/nowhere/token, which AWS_WEB_IDENTITY_TOKEN_FILE names"),
    "IRSA without a role": ("", {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token"}, {},
        Reason.INVALID, "settings"),
    "token of the profile missing": (
        f"[default]\nrole_arn = {ROLE}\nweb_identity_token_file = /nowhere/t\n", {}, {},
        Reason.LOGIN_REJECTED, "/nowhere/t"),
    "container token missing": (
        "",
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{NOWHERE}/x",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/nowhere/auth",
        },
        {},
        Reason.LOGIN_REJECTED,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ),
    "container on a strange host": ("",
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example.com/x"}, {}, Reason.INVALID,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    "program missing": ("[default]\ncredential_process = /nowhere/helper --x\n", {}, {},
        Reason.NOT_FOUND, "/nowhere/helper"),
    "program without a name": ("[default]\ncredential_process = ''\n", {}, {}, Reason.NOT_FOUND,
        "credential_process"),
    "program that fails": ("[default]\ncredential_process = sh -c 'echo s3cr3t-x; exit 3'\n", {},
        {}, Reason.INVALID, "exit code 3"),
    "program that prints too much": ("[default]\ncredential_process = head -c 70000 /dev/zero\n",
        {}, {}, Reason.INVALID, "printed more than"),
    "program that prints nonsense": ("[default]\ncredential_process = echo s3cr3t-nonsense\n", {},
        {}, Reason.INVALID, "`default`"),
    "program that prints another JSON": (
        "[default]\ncredential_process = echo '{\"Version\": 1}'\n", {}, {}, Reason.INVALID,
        "`default`"),
    "program that prints a list": ("[default]\ncredential_process = echo []\n", {}, {},
        Reason.INVALID, "`default`"),
    "MFA": (
        (
            f"[profile keys]\n{KEYS}[profile m]\nrole_arn = {ROLE}\nsource_profile = keys\n"
            "mfa_serial = arn:aws:iam::123456789012:mfa/me\n"
        ),
        {},
        {"profile": "m"},
        Reason.INVALID,
        "`m`",
    ),
    "profile missing": ("[default]\n", {"AWS_PROFILE": "gone"}, {}, Reason.NOT_FOUND, "profile"),
    "profile of itself": (f"[profile a]\nrole_arn = {ROLE}\nsource_profile = a\n",
        {"AWS_PROFILE": "a"}, {}, Reason.INVALID, "`a`"),
    "profiles in a circle": (
        (
            f"[profile a]\nrole_arn = {ROLE}\nsource_profile = b\n"
            f"[profile b]\nrole_arn = {ROLE}\nsource_profile = a\n"
        ),
        {},
        {"profile": "a"},
        Reason.INVALID,
        "`a`",
    ),
    "source profile missing": (f"[profile a]\nrole_arn = {ROLE}\nsource_profile = gone\n", {},
        {"profile": "a"}, Reason.INVALID, "settings"),
    "config that is no INI": ("nonsense", {}, {}, Reason.INVALID, "settings"),
    "SSO without a login": (
        (
            "[default]\nsso_start_url = https://x.awsapps.com/start\nsso_region = us-east-1\n"
            "sso_account_id = 123456789012\nsso_role_name = r\n"
        ),
        {},
        {},
        Reason.LOGIN_REJECTED,
        "SSO",
    ),
    "retry mode": ("", {"AWS_RETRY_MODE": "odd"}, {}, Reason.INVALID, "settings"),
    "metadata timeout": ("", {"AWS_METADATA_SERVICE_TIMEOUT": "odd"}, {}, Reason.INVALID,
        "AWS_METADATA_SERVICE_TIMEOUT"),
    "metadata endpoint": ("", {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "odd"}, {},
        Reason.INVALID, "settings"),
    "STS endpoints": ("", {"AWS_STS_REGIONAL_ENDPOINTS": "odd"}, {}, Reason.INVALID, "settings"),
    "defaults mode": ("", {"AWS_DEFAULTS_MODE": "odd"}, {}, Reason.INVALID, "settings"),
    "nothing": ("", {}, {}, Reason.NOT_FOUND, "no AWS credentials"),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_odd_identity(
    fake: FakeEcr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Each has its reason, names what is odd, and shows nothing that a program printed."""
    text, environment, settings, reason, named = ODD[case]
    (tmp_path / "config").write_text(text)
    only_aws(monkeypatch, AWS_CONFIG_FILE=str(tmp_path / "config"), **environment)
    monkeypatch.setenv("HOME", str(tmp_path))
    if case in ("retry mode", "STS endpoints", "defaults mode"):
        key_in_environment(monkeypatch)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
    begun = time.monotonic()
    with pytest.raises(DriverError) as caught:
        source(fake.url, **settings).fetch([])
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + error.hint
    assert error.reason is reason, shown
    assert error.reason in REASONS
    assert named in f"{error.detail} {error.hint}"
    assert "s3cr3t-" not in shown
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("kind", ["MFA", "program"])
def test_nothing_prompts(
    fake: FakeEcr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """With a terminal there, nobody is asked anything on it."""
    asks = "sh -c 'read -p code: x </dev/tty; cat'"
    text = ODD["MFA"][0] if kind == "MFA" else f"[profile m]\ncredential_process = {asks}\n"
    (tmp_path / "config").write_text(text)
    only_aws(monkeypatch, AWS_CONFIG_FILE=str(tmp_path / "config"))
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover  another process
        try:
            source(fake.url, profile="m").fetch([])
        except DriverError as error:
            os.write(1, f"reason={error.reason}\n".encode())
        os._exit(0)
    said = b""
    try:
        while part := os.read(terminal, 1000):
            said += part
    except OSError:  # how Linux says that the other end is closed
        pass
    os.waitpid(child, 0)
    os.close(terminal)
    assert said.strip() == b"reason=invalid"


def test_program_behind_a_role(
    fake: FakeEcr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source profile's program is bounded and named too."""
    (tmp_path / "config").write_text(
        f"[profile a]\nrole_arn = {ROLE}\nsource_profile = p\n"
        "[profile p]\ncredential_process = /nowhere/helper\n"
    )
    only_aws(monkeypatch, AWS_CONFIG_FILE=str(tmp_path / "config"))
    with pytest.raises(DriverError) as caught:
        source(fake.url, profile="a").fetch([])
    assert caught.value.reason is Reason.NOT_FOUND
    assert "/nowhere/helper" in caught.value.detail


def test_token_file_that_appears(
    fake: FakeEcr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It changes what the core looks at every few seconds, so a login is tried at once."""
    token = tmp_path / "token"
    only_aws(monkeypatch, AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=str(token))
    made = source(fake.url, sts_endpoint_url=NOWHERE)
    with pytest.raises(LoginRejectedError):
        made.fetch([])
    stamp = made.login_stamp()
    token.write_text("s3cr3t-token")
    assert made.login_stamp() != stamp
    with pytest.raises(DriverError) as caught:
        made.fetch([])
    assert "AssumeRoleWithWebIdentity of sts" in caught.value.detail


def test_sso_login_changes_the_stamp(
    fake: FakeEcr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `aws sso login` writes counts at once."""
    monkeypatch.setenv("HOME", str(tmp_path))
    made = source(fake.url)
    stamp = made.login_stamp()
    cache = tmp_path / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    (cache / "x.json").write_text(json.dumps({"accessToken": "s3cr3t-sso"}))
    assert made.login_stamp() != stamp


def test_no_fips_for_ecr_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS has no such endpoint, and what to do is said without asking anybody."""
    key_in_environment(monkeypatch)
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    made = EcrSource(EcrPublicSourceSettings(name="public"), lambda: datetime.now(UTC))
    with pytest.raises(DriverError) as caught:
        made.fetch([])
    assert caught.value.reason is Reason.INVALID
    assert "use_fips_endpoint: false" in caught.value.hint


def test_an_endpoint_together_with_fips(fake: FakeEcr, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configured endpoint is asked, whatever AWS's own settings say of the kind."""
    key_in_environment(monkeypatch)
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    assert source(fake.url).fetch([])


def test_further_registries_without_accounts(
    fake: FakeEcr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host in the answer and the further ones get the same token."""
    key_in_environment(monkeypatch)
    credentials = source(fake.url, registries=("ecr.corp.example.com",)).fetch([])
    assert {one.registry for one in credentials} == {fake.host, "ecr.corp.example.com"}
    assert len({one.password for one in credentials}) == 1


@pytest.mark.parametrize("case", ["IRSA token missing", "program missing", "MFA", "retry mode"])
def test_the_vault_login_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """The aws login to Vault has the same identity, and the same words."""
    text, environment, settings, reason, named = ODD[case]
    (tmp_path / "config").write_text(text)
    only_aws(monkeypatch, AWS_CONFIG_FILE=str(tmp_path / "config"), **environment)
    if case == "retry mode":
        key_in_environment(monkeypatch)
        monkeypatch.setenv("AWS_RETRY_MODE", "odd")
    with VaultDoor(NOWHERE) as door:
        auth = {"method": "aws", "region": "eu-west-1", **settings}
        with pytest.raises(DriverError) as caught:
            vault_source(door.url, auth, path="secret/x").fetch([])
        assert door.seen == []
    assert caught.value.reason is reason
    assert named in f"{caught.value.detail} {caught.value.hint}"
