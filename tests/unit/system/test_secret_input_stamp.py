"""What shows that a login secret was replaced, without telling it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.aws.environment import aws_stamp
from rotator.config.sources import VaultSourceSettings
from rotator.system.secret_input import SecretInput, digest
from rotator.vault.shared_login import shared_login
from tests.support import MARKED, NOW, made

if TYPE_CHECKING:
    from pathlib import Path

VAULT = {
    "address": "https://vault.example.com",
    "auth": {"method": "aws", "role": "ci"},
    "path": "secret/harbor",
    "registry": "harbor.example.com",
}


def test_a_file(tmp_path: Path) -> None:
    """It is looked at, not read; one that is missing has a stamp, too."""
    file = tmp_path / "secret"
    stamps = [SecretInput(file).stamp()]
    for text in ("one", "another"):
        file.write_text(text)
        file.chmod(0)
        stamps.append(SecretInput(file).stamp())
        file.unlink()
    assert len(set(stamps)) == 3


def test_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process's variables stay, but a restart with another one has another stamp."""
    secret = SecretInput(env="SECRET_ID")
    unset = secret.stamp()
    monkeypatch.setenv("SECRET_ID", f"{MARKED}1")
    first = secret.stamp()
    monkeypatch.setenv("SECRET_ID", f"{MARKED}2")
    assert len({unset, first, secret.stamp()}) == 3
    # In 65,536 texts one has the same: nobody can tell a secret by it.
    assert len(first) == 4


def test_what_is_no_text_has_a_digest() -> None:
    """Variables can hold any bytes."""
    assert digest("\udcff") != digest("")


@pytest.mark.parametrize(
    "name",
    [
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
        *("AWS_ROLE_ARN", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"),
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ],
)
def test_an_aws_identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """Whatever the AWS SDK finds another identity by changes the stamp."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "other").write_text(f"{MARKED}1")
    monkeypatch.delenv(name, raising=False)
    before = aws_stamp()
    monkeypatch.setenv(name, str(tmp_path / "other"))
    assert aws_stamp() != before
    assert MARKED not in aws_stamp()


@pytest.mark.parametrize(
    "changed",
    [
        {"address": "https://other.example.com"},
        {"namespace": "team"},
        {"auth": {"method": "aws", "role": "other"}},
        {"auth": {"method": "cert"}},
    ],
)
def test_how_a_login_is_configured(changed: dict[str, object]) -> None:
    """A role, mount or address that was corrected is tried as a new secret is."""

    def stamp(**more: object) -> str:
        return shared_login(
            made(VaultSourceSettings, **{**VAULT, **more}), lambda: NOW
        ).login_stamp()

    assert stamp() == stamp()
    assert stamp(**changed) != stamp()


def test_an_aws_login_to_vault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other AWS keys are another login."""
    session = shared_login(made(VaultSourceSettings, **VAULT), lambda: NOW)
    before = session.login_stamp()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOTHER")
    assert session.login_stamp() != before
