"""Where AWS's keys come from, and what counts once they change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import Reason
from tests.fakes.certificates import Pki
from tests.fakes.ecr import ACCESS_KEY, SECRET_KEY, FakeEcr, key_in_environment, only_aws
from tests.fakes.kubernetes import FakeKubernetes
from tests.support import aged
from tests.unit.sources.ecr.endpoint import error_of, source

if TYPE_CHECKING:
    from pathlib import Path


def test_keys_are_read_again(
    fake: FakeEcr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is replaced in the credentials file counts from the next fetch on."""
    file = tmp_path / "credentials"
    only_aws(monkeypatch, AWS_SHARED_CREDENTIALS_FILE=str(file))

    def write(key: str) -> None:
        file.write_text(f"[ci]\naws_access_key_id={key}\naws_secret_access_key=s3cr3t-{key}\n")

    made = source(fake, profile="ci")
    fake.keys = {"AKIDOLD": ("s3cr3t-AKIDOLD", ""), "AKIDNEW": ("s3cr3t-AKIDNEW", "")}
    write("AKIDOLD")
    made.fetch([])
    stamp = made.login_stamp()
    write("AKIDNEW")
    made.fetch([])
    assert fake.signers == ["AKIDOLD", "AKIDNEW"]
    assert made.login_stamp() != stamp


@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_client_stays_while_its_keys_do(
    fake: FakeEcr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Other keys are another client; between two fetches with the same keys none is made."""
    file = tmp_path / "credentials"

    def use(key: str, age: float) -> None:
        if where == "environment":
            key_in_environment(monkeypatch)
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        else:
            only_aws(monkeypatch, AWS_SHARED_CREDENTIALS_FILE=str(file))
            file.write_text(
                f"[default]\naws_access_key_id={key}\naws_secret_access_key={SECRET_KEY}\n"
            )
            aged(file, age)

    fake.keys = {"AKIDOLD": (SECRET_KEY, ""), "AKIDNEW": (SECRET_KEY, "")}
    made = source(fake)
    use("AKIDOLD", 3600)
    clients = []
    for key in (None, None, "AKIDNEW", None):
        if key:
            use(key, 60)
        made.fetch([])
        clients.append(made._client("ecr", {}))
    assert clients[0] is clients[1]
    assert clients[1] is not clients[2]
    assert clients[2] is clients[3]
    assert fake.signers == ["AKIDOLD", "AKIDOLD", "AKIDNEW", "AKIDNEW"]


def test_a_program_that_gives_keys_is_run_again(
    fake: FakeEcr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only it knows whether what it gave is still right; no file tells."""
    keys = {"Version": 1, "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    program = f"sh -c 'echo run >>{tmp_path}/runs; cat {tmp_path}/keys.json'"
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {program}\n")
    aged(config)
    only_aws(monkeypatch, AWS_CONFIG_FILE=str(config))
    made = source(fake)
    made.fetch([])
    made.fetch([])
    assert (tmp_path / "runs").read_text().split() == ["run", "run"]


def test_another_authority_counts_at_once(fake: FakeEcr, tmp_path: Path) -> None:
    """Connections and trust are shared between fetches until `ca_file` is another."""
    (tmp_path / "other").mkdir()
    pki, other = Pki(tmp_path), Pki(tmp_path / "other")
    aged(pki.ca)
    with FakeKubernetes(pki.context()) as server:  # anything that speaks TLS
        made = source(fake, endpoint_url=server.url, ca_file=pki.ca)
        assert error_of(made).reason is not Reason.UNREACHABLE
        pki.ca.write_bytes(other.ca.read_bytes())
        aged(pki.ca, 60)
        assert error_of(made).reason is Reason.UNREACHABLE


def test_profile_that_is_not_there(fake: FakeEcr) -> None:
    """A misspelt profile is said, with what shows the right ones."""
    error = error_of(source(fake, profile="misspelt"))
    assert error.reason is Reason.NOT_FOUND
    assert "list-profiles" in error.hint


def test_web_identity_without_a_role(fake: FakeEcr, tmp_path: Path) -> None:
    """An identity token alone is no identity: the role to assume is asked for."""
    token = tmp_path / "token"
    token.write_text("s3cr3t-token")
    error = error_of(source(fake, web_identity_token_file=token))
    assert (error.reason, error.hint) == (Reason.FIELD_MISSING, "set role_arn")


def test_web_identity_token_that_is_not_there(fake: FakeEcr, tmp_path: Path) -> None:
    """A missing identity token is told with its path."""
    role = "arn:aws:iam::123456789012:role/pull"
    made = source(fake, web_identity_token_file=tmp_path / "none", role_arn=role)
    error = error_of(made)
    assert error.reason is Reason.LOGIN_REJECTED
    assert str(tmp_path / "none") in error.detail
    stamp = made.login_stamp()
    (tmp_path / "none").write_text("s3cr3t-token")
    assert made.login_stamp() != stamp
