"""The login with an AWS identity; OpenBao has none, so a stand-in asks a real STS (moto)."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
import requests

from rotator.core.errors import LoginRejectedError
from tests.fakes.vault_door import Answer, Request, VaultDoor, refusal
from tests.integration.vault_tools import vault_source
from tests.servers.openbao import OpenBao, unique

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class AwsMount:
    """Vault's AWS login: sends the signed request on to STS, and gives a token to whom it names.

    https://developer.hashicorp.com/vault/docs/auth/aws#iam-auth-method
    """

    def __init__(self, sts: str, token: str) -> None:
        self.sts = sts
        self.token = token
        self.hosts: list[str] = []
        self.arns: list[str] = []
        self.server_ids: list[str] = []

    def __call__(self, request: Request) -> Answer:
        """Answer one login."""
        body = json.loads(request.body)
        text = {
            name: base64.b64decode(body[f"iam_request_{name}"]).decode()
            for name in ("url", "body", "headers")
        }
        headers = json.loads(text["headers"])
        host = text["url"].split("/")[2]
        self.hosts.append(host)
        self.server_ids.append(headers.get("X-Vault-AWS-IAM-Server-ID", ""))
        if self.server_ids[-1]:
            assert "x-vault-aws-iam-server-id" in headers["Authorization"].lower()
        answer = requests.post(
            self.sts, data=text["body"], headers={**headers, "Host": host}, timeout=10
        )
        if body["role"] != "ci" or not answer.ok:
            return refusal(400, "error making upstream request: received error code 403 from STS")
        self.arns.append(answer.text.partition("<Arn>")[2].partition("</Arn>")[0])
        auth = {"client_token": self.token, "lease_duration": 3600, "renewable": True}
        return Answer(200, json.dumps({"auth": auth}), {"Content-Type": "application/json"})


@pytest.fixture
def aws_user(sts: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Make an IAM user, put its key into the environment, and let STS check every signature."""
    import boto3  # noqa: PLC0415  slow, and only for this

    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    requests.post(f"{sts}/moto-api/reset-auth", data=b"1000", timeout=10)
    iam = boto3.client(
        "iam",
        endpoint_url=sts,
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="s3cr3t-first",
    )
    user = unique("rotator")
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    requests.post(f"{sts}/moto-api/reset-auth", data=b"0", timeout=10)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    yield {"name": user, "secret": key["SecretAccessKey"]}
    requests.post(f"{sts}/moto-api/reset-auth", data=b"1000", timeout=10)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        pytest.param(None, "sts.amazonaws.com", id="global"),
        pytest.param("eu-west-1", "sts.eu-west-1.amazonaws.com", id="regional"),
    ],
)
def test_aws(
    openbao: OpenBao,
    kv_secret: str,
    kv_policy: str,
    sts: str,
    aws_user: dict[str, str],
    region: str | None,
    host: str,
) -> None:
    """A request signed with the machine's AWS identity logs in; STS checks the signature."""
    with VaultDoor(openbao.url) as door:
        mount = AwsMount(sts, openbao.token(kv_policy))
        door.rude["auth/aws/login"] = mount
        auth = {"method": "aws", "role": "ci", **({"region": region} if region else {})}
        assert vault_source(door.url, auth, path=f"secret/{kv_secret}").fetch([])
    assert mount.hosts == [host]
    assert mount.arns[0].endswith(f":user/{aws_user['name']}")


def test_aws_wrong_key(
    openbao: OpenBao, sts: str, aws_user: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signature that STS refuses is a rejected login, and no part of the key is in its words."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-of-somebody-else")
    with VaultDoor(openbao.url) as door:
        door.rude["auth/aws/login"] = AwsMount(sts, "s3cr3t-never-given")
        source = vault_source(door.url, {"method": "aws", "role": "ci"}, path="secret/x")
        with pytest.raises(LoginRejectedError) as caught:
            source.fetch([])
    assert "bind the AWS role" in caught.value.hint
    assert "s3cr3t" not in caught.value.detail


ROLE = "arn:aws:iam::123456789012:role/vault"


@pytest.mark.parametrize("way", ["role_arn", "profile"])
def test_aws_role_and_server_id(
    openbao: OpenBao,
    kv_secret: str,
    kv_policy: str,
    sts: str,
    aws_user: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    """A role is assumed before, at the STS that is configured; Vault's server id is signed."""
    requests.post(f"{sts}/moto-api/reset-auth", data=b"1000", timeout=10)
    config = tmp_path / "config"
    config.write_text(f"[profile v]\nrole_arn = {ROLE}\ncredential_source = Environment\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    chosen = {"role_arn": ROLE} if way == "role_arn" else {"profile": "v"}
    auth = {
        "method": "aws",
        "role": "ci",
        "region": "eu-west-1",
        "header_value": "vault.example.com",
        "sts_endpoint_url": sts,
        **chosen,
    }
    with VaultDoor(openbao.url) as door:
        mount = AwsMount(sts, openbao.token(kv_policy))
        door.rude["auth/aws/login"] = mount
        assert vault_source(door.url, auth, path=f"secret/{kv_secret}").fetch([])
    assert mount.hosts == [sts.removeprefix("http://")]
    assert mount.server_ids == ["vault.example.com"]
    assert "assumed-role/vault/" in mount.arns[0]
