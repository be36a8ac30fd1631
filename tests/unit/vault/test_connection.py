"""How a Vault server is reached: proxies, certificates, namespaces, the AWS identity."""

from __future__ import annotations

import base64
import json
import traceback
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import LoginRejectedError, PermanentError, Reason, TemporaryError
from tests.fakes.vault_door import VaultDoor, refusal
from tests.integration.vault_tools import token_login, vault_source
from tests.support import free_port

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "s3cr3t-token/+of=root"


def test_refused_connection(tmp_path: Path) -> None:
    """Nobody listening is unreachable, in the system's words."""
    source = vault_source(
        f"http://127.0.0.1:{free_port()}", token_login(tmp_path, TOKEN), path="secret/x"
    )
    with pytest.raises(TemporaryError) as caught:
        source.fetch([])
    assert caught.value.reason is Reason.UNREACHABLE
    assert "Connection refused" in caught.value.detail


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """A proxy is taken from the environment; its login is in no message when it is not there."""
    proxy = f"http://ci:s3cr3t-proxy@127.0.0.1:{free_port()}"
    monkeypatch.setenv(f"{scheme}_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    address = f"{scheme}://vault.example.com:8200"
    source = vault_source(address, token_login(tmp_path, TOKEN), path="secret/x")
    with pytest.raises(TemporaryError) as caught:
        source.fetch([])
    assert caught.value.reason is Reason.UNREACHABLE
    assert "proxy" in caught.value.detail
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        pytest.param("ca_file", None, id="no authority"),
        pytest.param("ca_file", "nonsense", id="authority is no certificate"),
        pytest.param("client_cert_file", None, id="no client certificate"),
        pytest.param("client_cert_file", "nonsense", id="client certificate is none"),
    ],
)
def test_certificate_files(tmp_path: Path, file: str, text: str | None) -> None:
    """A certificate file that can't be used is named, with the command to look at it."""
    path = tmp_path / "file.pem"
    if text is not None:
        path.write_text(text)
    auth = token_login(tmp_path, TOKEN)
    source = vault_source("https://127.0.0.1:1", auth, path="secret/x", **{file: str(path)})
    with pytest.raises(PermanentError) as caught:
        source.fetch([])
    assert caught.value.reason is Reason.UNREADABLE
    assert str(path) in caught.value.detail
    assert "openssl x509" in caught.value.hint


def test_namespace(door: VaultDoor, tmp_path: Path) -> None:
    """The namespace goes with every request, and is in the message."""
    door.rude["secret/data"] = refusal(403)
    source = vault_source(
        door.url, token_login(tmp_path, TOKEN), path="secret/harbor", namespace="team/ci"
    )
    with pytest.raises(PermanentError) as caught:
        source.fetch([])
    assert {each.headers.get("X-Vault-Namespace") for each in door.seen} == {"team/ci"}
    assert "namespace team/ci" in caught.value.detail


@pytest.mark.parametrize(
    ("region", "url"),
    [
        (None, "https://sts.amazonaws.com/"),
        ("us-east-1", "https://sts.amazonaws.com/"),
        ("eu-west-1", "https://sts.eu-west-1.amazonaws.com/"),
        ("cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/"),
    ],
)
def test_aws_endpoint(
    door: VaultDoor, monkeypatch: pytest.MonkeyPatch, region: str | None, url: str
) -> None:
    """The signed request is for the region's own STS, in the region's partition."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-aws")
    door.rude["auth/aws/login"] = refusal(400, "not now")
    auth = {"method": "aws", **({"region": region, "role": "ci"} if region else {})}
    with pytest.raises(LoginRejectedError):
        vault_source(door.url, auth, path="secret/harbor").fetch([])
    body = json.loads(door.seen[-1].body)
    assert base64.b64decode(body["iam_request_url"]).decode() == url
    headers = json.loads(base64.b64decode(body["iam_request_headers"]))
    assert f"/{region or 'us-east-1'}/sts/aws4_request" in headers["Authorization"]


def test_no_aws_identity(door: VaultDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any AWS identity nothing is sent, and the way to get one is said."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(PermanentError) as caught:
        vault_source(door.url, {"method": "aws"}, path="secret/harbor").fetch([])
    assert "aws sts get-caller-identity" in caught.value.hint
    assert door.seen == []


def test_broken_aws_identity(
    door: VaultDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A credential process that fails is said; what it printed is not."""
    config = tmp_path / "config"
    config.write_text("[default]\ncredential_process = sh -c 'echo s3cr3t-printed >&2; exit 1'\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(PermanentError) as caught:
        vault_source(door.url, {"method": "aws"}, path="secret/harbor").fetch([])
    assert "credential_process sh" in caught.value.detail
    assert str(config) in caught.value.detail
    assert "s3cr3t" not in caught.value.detail
