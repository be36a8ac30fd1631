"""A real credential helper: Debian's, for a real password store."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rotator.config.sources import CredentialHelperSourceSettings
from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Credential, Secret
from rotator.sources.credential_helper import CredentialHelperSource
from tests.fakes.credential_helper import SECRET
from tests.support import NOW, need
from tests.unit.sources.credential_helper.helper import HOST, failure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class PassStore:
    """A real password store with a throwaway key, and Debian's helper in front of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "GNUPGHOME": str(folder / "gpg"),
            "PASSWORD_STORE_DIR": str(folder / "store"),
        }

    def run(self, *command: str, text: str = "") -> None:
        """Run a command in the store's environment."""
        subprocess.run(
            command,
            input=text,
            env=self.environment,
            check=True,
            text=True,
            capture_output=True,
            timeout=60,
        )

    def put(self, registry: str, secret: str) -> None:
        """Store a login as `docker login` does."""
        login = {"ServerURL": registry, "Username": "ci", "Secret": secret}
        self.run("docker-credential-pass", "store", text=json.dumps(login))

    def source(self, registry: str) -> CredentialHelperSource:
        """Return a source that asks this store."""
        return CredentialHelperSource(
            CredentialHelperSourceSettings(
                name="pass", helper="pass", registries=(registry,), timeout=timedelta(seconds=30)
            ),
            lambda: NOW,
            self.environment,
        )


@pytest.fixture(scope="module")
def pass_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PassStore]:
    """Start a password store; its agent ends with the module."""
    need("docker-credential-pass", "golang-docker-credential-helpers")
    need("pass", "pass")
    need("gpg", "gnupg")
    store = PassStore(tmp_path_factory.mktemp("p"))
    (store.folder / "gpg").mkdir(mode=0o700)
    key = ("--passphrase", "", "--quick-gen-key", "rotator-test", "future-default", "", "never")
    store.run("gpg", "--batch", "--quiet", *key)
    store.run("pass", "init", "rotator-test")
    yield store
    store.run("gpgconf", "--kill", "gpg-agent")


def test_pass(pass_store: PassStore) -> None:
    """A real helper's login is fetched, and its successor after it was replaced."""
    for secret in ("s3cr3t-first", "s3cr3t-second"):
        pass_store.put(HOST, secret)
        fetched = pass_store.source(HOST).fetch(())
        assert fetched == [Credential(HOST, "ci", Secret(secret), NOW)]


def test_pass_unknown(pass_store: PassStore) -> None:
    """A registry that a real helper does not know is not found."""
    error = failure(pass_store.source("unknown.example.com"))
    assert error.reason is Reason.NOT_FOUND
    assert "docker login unknown.example.com" in error.hint


def test_pass_without_its_key(pass_store: PassStore, tmp_path: Path) -> None:
    """A store whose key this user can't use is forbidden, not down."""
    pass_store.put(HOST, SECRET)
    stranger = PassStore(pass_store.folder)
    stranger.environment["GNUPGHOME"] = str(tmp_path)
    tmp_path.chmod(0o700)
    error = failure(stranger.source(HOST))
    assert (type(error), error.reason) == (PermanentError, Reason.FORBIDDEN)
