"""A credential helper that is not there, or can't be started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.config.sources import CredentialHelperSourceSettings
from rotator.core.errors import PermanentError, Reason, TemporaryError
from rotator.sources.credential_helper import CredentialHelperSource
from tests.fakes.credential_helper import answer, install
from tests.support import NOW
from tests.unit.sources.credential_helper.helper import HOST, failure, source

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("helper", "hint"),
    [
        ("pass", "apt-get install golang-docker-credential-helpers pass"),
        ("ecr-login", "apt-get install amazon-ecr-credential-helper"),
        ("other", "install docker-credential-other where PATH finds it"),
    ],
)
def test_not_installed(tmp_path: Path, helper: str, hint: str) -> None:
    """A helper that is not there: where was looked, and how to install it."""
    absent = CredentialHelperSource(
        CredentialHelperSourceSettings(name="helper", helper=helper, registries=(HOST,)),
        lambda: NOW,
        {"PATH": str(tmp_path)},
    )
    error = failure(absent)
    assert (type(error), error.reason) == (PermanentError, Reason.NOT_FOUND)
    assert f"docker-credential-{helper} is not installed: it is not in {tmp_path}" in error.detail
    assert hint in error.hint


def test_not_executable(folder: Path) -> None:
    """A helper without the right to be run: the command that gives it."""
    path = install(folder, "spy", answer())
    path.chmod(0o644)
    error = failure(source(folder))
    assert error.reason is Reason.INVALID
    assert error.hint == f"make it so: chmod +x {path}"


def test_being_installed(folder: Path) -> None:
    """A helper that somebody is still writing can't be started for a moment."""
    path = install(folder, "spy", answer())
    with path.open("a"):
        error = failure(source(folder))
    assert (type(error), error.reason) == (TemporaryError, Reason.UNAVAILABLE)
    assert f"cannot start {path}" in error.detail


def test_installed_later(folder: Path) -> None:
    """A helper that is installed while we run is found."""
    later = source(folder)
    assert failure(later).reason is Reason.NOT_FOUND
    install(folder, "spy", answer())
    assert len(later.fetch(())) == 1
