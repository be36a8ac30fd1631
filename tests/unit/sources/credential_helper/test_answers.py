"""What a credential helper is asked, and what becomes of its answer."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rotator.config.sources import CredentialHelperSourceSettings
from rotator.core.docker_entry import DOCKER_HUB
from rotator.core.model import Credential, Secret
from rotator.sources.credential_helper import build
from tests.fakes.credential_helper import SECRET, answer, install
from tests.support import NOW
from tests.unit.sources.credential_helper.helper import HOST, source

if TYPE_CHECKING:
    from pathlib import Path


def test_answers(folder: Path) -> None:
    """A helper's answer becomes a credential that began when it was asked, without an end."""
    assert source(folder, answer()).fetch(()) == [Credential(HOST, "ci", Secret(SECRET), NOW)]


def test_lifetime(folder: Path) -> None:
    """With a lifetime, the credential ends that long after it was asked for."""
    (credential,) = source(folder, answer(), lifetime=timedelta(hours=1)).fetch(())
    assert credential.expires_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize("registry", [HOST, DOCKER_HUB, "registry.example.com/team"])
def test_asks_as_docker_does(folder: Path, registry: str) -> None:
    """The registry's key in `auths` is on standard input, and nowhere else."""
    script = f'cat >{folder}/stdin; echo "$@" >{folder}/arguments; {answer()}'
    source(folder, script, registry).fetch(())
    assert (folder / "stdin").read_text() == registry
    assert (folder / "arguments").read_text() == "get\n"


def test_each_registry(folder: Path) -> None:
    """Each registry gets a run and a credential of its own."""
    script = """printf '{"Username": "ci", "Secret": "s3cr3t-%s"}' "$(cat)" """
    fetched = source(folder, script, "a.example.com", "b.example.com").fetch(())
    assert [(found.registry, found.password.reveal()) for found in fetched] == [
        ("a.example.com", "s3cr3t-a.example.com"),
        ("b.example.com", "s3cr3t-b.example.com"),
    ]


@pytest.mark.parametrize(
    "printed",
    [
        pytest.param(
            '{"ServerURL": "x", "Username": "ci", "Secret": "s3cr3t-x"}', id="with server"
        ),
        pytest.param(' \n{"username": "ci", "SECRET": "s3cr3t-x"}\n', id="any case"),
        pytest.param('{"Username": "ci", "Secret": "s3cr3t-x"}\nGoodbye.', id="more after it"),
    ],
)
def test_reads_what_docker_reads(folder: Path, printed: str) -> None:
    """Answers that docker understands are understood."""
    (credential,) = source(folder, f"cat <<'END'\n{printed}\nEND").fetch(())
    assert (credential.username, credential.password.reveal()) == ("ci", "s3cr3t-x")


def test_environment(folder: Path) -> None:
    """A helper sees what finds its login, and nothing else of our environment."""
    seen = {
        "HOME": "/home/ci",
        "https_proxy": "http://proxy:3128",
        "AWS_PROFILE": "ci",
        "AZURE_FEDERATED_TOKEN_FILE": "/var/run/token",
        "GOOGLE_APPLICATION_CREDENTIALS": "/etc/gcp.json",
        "PASSWORD_STORE_DIR": "/home/ci/pass",
        "XDG_RUNTIME_DIR": "/run/user/1",
        "LC_ALL": "C.UTF-8",
    }
    unseen = {
        "VAULT_TOKEN": "s3cr3t-1",
        "GITLAB_TOKEN": "s3cr3t-2",
        "CI_JOB_TOKEN": "s3cr3t-3",
        "DOCKER_AUTH_CONFIG": "s3cr3t-4",
        "ROTATOR_SECRET_ID": "s3cr3t-5",
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "CREDENTIALS_DIRECTORY": "/run/credentials/rotator",
        "LD_PRELOAD": "/nowhere.so",
    }
    script = f"env >{folder}/environment; {answer()}"
    source(folder, script, environment=seen | unseen).fetch(())
    got = dict(line.split("=", 1) for line in (folder / "environment").read_text().splitlines())
    assert seen.items() <= got.items()
    assert not unseen.keys() & got.keys()


def test_identity_token(folder: Path) -> None:
    """An identity token, as Azure's helpers give, is carried as such."""
    (credential,) = source(folder, answer("<token>")).fetch(())
    assert (credential.username, credential.password.reveal()) == ("<token>", SECRET)


def test_build(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration's keys arrive; the helper is found on our own PATH."""
    install(folder, "spy", answer())
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    settings = CredentialHelperSourceSettings(
        name="gcp", helper="spy", registries=(HOST,), lifetime=timedelta(hours=1)
    )
    built = build(settings, lambda: NOW)
    assert (built.name, built.registries) == ("gcp", frozenset({HOST}))
    (credential,) = built.fetch(())
    assert credential.expires_at == NOW + timedelta(hours=1)
