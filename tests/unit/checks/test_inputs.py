"""What `check` says of the files and variables that hold secrets and certificates."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from rotator.checks import registry
from rotator.checks.inputs import inspect
from rotator.config.sources import EcrSourceSettings, VaultSourceSettings
from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Credential, Proof, Secret, Verdict
from rotator.inspection import Findings
from rotator.system.secret_input import SecretInput, readable_by_everybody
from tests.fakes.certificates import Pki
from tests.support import MARKED, NOW, made
from tests.unit.checks.described import case, file_target, login_file, rotation

TOKEN = "hvs.CAESs3cr3t-token"
with TemporaryDirectory() as _folder:
    PEM = Pki(Path(_folder)).ca.read_text()


def vault(**more: Any) -> VaultSourceSettings:
    """Return a source; its token is in the variable ROTATOR_TEST_TOKEN unless it says otherwise."""
    settings = {
        "address": "https://vault.example.com",
        "auth": {"method": "token", "token_env": "ROTATOR_TEST_TOKEN"},
        "path": "secret/harbor",
        "registry": "harbor.example.com",
    }
    return made(VaultSourceSettings, **{**settings, **more})


def found(settings: Any) -> list[str]:
    """Return what is found, as `level: found; todo`; no secret is in it."""
    findings = Findings("vault")
    inspect(settings, findings)
    said = [f"{one.level}: {one.found}; {one.todo}" for one in findings.all]
    assert "s3cr3t-" not in str(said)
    return said


WRAPPED = {
    "quotes": (f'"{TOKEN}"', "in quotes"),
    "name": (f"VAULT_TOKEN={TOKEN}", "`VAULT_TOKEN=` in front"),
    "export": (f"export VAULT_TOKEN='{TOKEN}'", "`VAULT_TOKEN=` in front"),
    "yaml": (f"token: {TOKEN}", "`token=` in front"),
    "bearer": (f"Bearer {TOKEN}", "`Bearer` in front"),
}


@pytest.mark.parametrize("around", WRAPPED)
def test_a_token_with_something_around_it(
    tmp_path: Path, around: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token's form is known, so this is certain: every command refuses it, and says why."""
    text, words = WRAPPED[around]
    file = tmp_path / "token"
    file.write_text(f"{text}\n")
    file.chmod(0o600)
    monkeypatch.setenv("ROTATOR_TEST_TOKEN", text)
    for where in (SecretInput(file), SecretInput(env="ROTATOR_TEST_TOKEN")):
        with pytest.raises(PermanentError) as caught:
            where.read()
        assert (caught.value.reason, words in caught.value.detail) == (Reason.MALFORMED, True)
        assert TOKEN not in str(caught.value) + caught.value.hint
    assert words in found(vault())[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'"{MARKED}password"', "in quotes, unless that is part of it"),
        (f"PASSWORD={MARKED}x", "`PASSWORD=` in front of the secret, unless"),
        (base64.b64encode(TOKEN.encode()).decode(), "a token in base64"),
        (f"{MARKED}one\n{MARKED}two", "holds 2 lines"),
        (f'{{"auth": {{"client_token": "{MARKED}t"}}}}', "holds a JSON document"),
    ],
    ids=["quotes", "name", "base64", "lines", "JSON"],
)
def test_what_may_be_around_a_password(
    text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any text can be a password, so it is used, and `check` points at it."""
    monkeypatch.setenv("ROTATOR_TEST_TOKEN", text)
    assert SecretInput(env="ROTATOR_TEST_TOKEN").read().reveal() == text
    assert [one for one in found(vault()) if words in one], found(vault())


def test_a_secret_as_it_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of it; a byte order mark that an editor left is no part of it."""
    file = tmp_path / "token"
    file.write_bytes(b"\xef\xbb\xbf" + TOKEN.encode() + b"\r\n")
    file.chmod(0o600)
    assert SecretInput(file).read().reveal() == TOKEN
    assert found(vault(auth={"method": "token", "token_file": str(file)})) == []


def test_a_secret_that_everybody_reads_is_said_once(tmp_path: Path) -> None:
    """By `config.advice`, as `--offline` knows it too."""
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    assert readable_by_everybody(file)
    assert found(vault(auth={"method": "token", "token_file": str(file)})) == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16(tmp_path: Path, encoding: str) -> None:
    """What another system's editor writes is named, with the command that repairs it."""
    file = tmp_path / "token"
    file.write_bytes(TOKEN.encode(encoding))
    with pytest.raises(PermanentError, match="UTF-16") as caught:
        SecretInput(file).read()
    assert "iconv -f UTF-16" in caught.value.hint


CERTIFICATES = {
    "pem": (PEM.encode(), None),
    "bundle": (f"# corporate\n{PEM}{PEM}".encode(), None),
    "der": (b"\x30\x82\x03\x0b\x30\x82", "openssl x509 -inform DER"),
    "utf-16": (PEM.encode("utf-16"), "UTF-16"),
    "empty": (b"\n", "is empty"),
    "key": (b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n", "a PRIVATE KEY"),
    "text": (b"see the wiki", "holds no certificate in PEM"),
    "damaged": (PEM.encode().replace(b"MII", b"MIJ"), "is damaged"),
    "cut off": (PEM.encode()[:200] + b"\n-----END CERTIFICATE-----\n", "is damaged"),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_a_ca_file(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no PEM is said to be what it is."""
    data, words = CERTIFICATES[kind]
    monkeypatch.setenv("ROTATOR_TEST_TOKEN", TOKEN)
    file = tmp_path / "ca"
    file.write_bytes(data)
    said = found(vault(ca_file=str(file)))
    assert (said == []) if words is None else (len(said) == 1 and words in said[0]), said


def test_a_key_with_a_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is there to type it."""
    monkeypatch.setenv("ROTATOR_TEST_TOKEN", TOKEN)
    pki = Pki(tmp_path)
    pki.server_key.chmod(0o600)
    files = {"client_cert_file": str(pki.server), "client_key_file": str(pki.server_key)}
    assert found(vault(**files)) == []
    words = ["openssl", "pkey", "-aes256", "-passout", "pass:x", "-in", str(pki.server_key)]
    locked = subprocess.run(words, capture_output=True, check=True).stdout
    pki.server_key.write_bytes(locked)
    (said,) = found(vault(**files))
    assert "is encrypted" in said


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """Each is named once, with its key or as a secret; under systemd, with the step to take."""
    settings = vault(
        ca_file=str(tmp_path / "ca"),
        auth={"method": "token", "token_file": str(tmp_path / "token")},
    )
    token, ca = sorted(found(settings), key=lambda one: "`ca_file`" in one)
    assert "cannot read the secret file" in token
    assert f"`ca_file`: cannot read {tmp_path / 'ca'}" in ca


def test_a_credential_that_systemd_did_not_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step is in the credential store, not in a directory that systemd makes."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (said,) = found(vault(auth={"method": "token", "token_file": str(tmp_path / "token")}))
    assert "/etc/credstore/token && systemctl daemon-reload" in said


def test_aws_keys_with_a_line_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS only says that the signature is wrong."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{MARKED}key\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", '"AKIA"')
    said = found(made(EcrSourceSettings, region="eu-west-1"))
    assert ["AWS_ACCESS_KEY_ID is in quotes" in said[0], "AWS_SECRET_ACCESS_KEY" in said[1]] == [
        True,
        True,
    ]


def test_a_login_with_a_line_end(tmp_path: Path) -> None:
    """A registry only says no; what a form or `echo` left there is said."""
    findings = Findings("vault")
    reject = case(
        rotation([login_file(tmp_path)], [file_target(tmp_path)]),
        prove=lambda _: Proof(Verdict.REJECTED, "it answers 401"),
    )
    credential = Credential("harbor.example.com", "robot", Secret(f"{MARKED}p\n"), NOW)
    registry.given([credential], reject, findings)
    assert "Its password has a blank or a line end" in findings.all[0].found
    assert MARKED not in json.dumps([one.found for one in findings.all])
