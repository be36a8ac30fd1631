"""The `docker_config` source on the bench: a file that `docker login` might have written."""

from __future__ import annotations

import base64
import json
from pathlib import Path, PosixPath
from typing import TYPE_CHECKING

import pytest

from rotator.config.sources import DockerConfigSourceSettings
from rotator.core.errors import Reason
from rotator.core.model import Secret
from rotator.sources.docker_config import DockerConfigSource
from tests.support import NOW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.contract.benches import Trouble

HOSTS = ("registry-a.example.com", "registry-b.example.com:5000")


class CountedPath(PosixPath):
    """A path that counts how often the system is asked about it."""

    reads = 0

    def __fspath__(self) -> str:
        """Return the name that the system is asked about, and count it."""
        CountedPath.reads += 1
        return super().__fspath__()


class DockerConfigBench:
    """A docker config file with two logins."""

    def __init__(self, folder: Path) -> None:
        self.path = CountedPath(folder / "login" / "config.json")
        self.path.parent.mkdir()
        logins = {host: f"ci:s3cr3t-of-{host}" for host in HOSTS}
        self.secrets = tuple(Secret(login.partition(":")[2]) for login in logins.values())
        self.auths = {
            host: {"auth": base64.b64encode(login.encode()).decode()}
            for host, login in logins.items()
        }
        self._put(json.dumps({"auths": self.auths}))
        self._reads_before = CountedPath.reads

    def source(self) -> DockerConfigSource:
        """Build the driver anew."""
        settings = DockerConfigSourceSettings(
            name="docker_config", path=self.path, registries=tuple(HOSTS)
        )
        return DockerConfigSource(settings, lambda: NOW)

    def registries(self) -> frozenset[str]:
        """Return the registries that have an entry."""
        return frozenset(HOSTS)

    def calls(self) -> int:
        """Return how often the system was asked about the file."""
        return CountedPath.reads - self._reads_before

    def troubles(self) -> Mapping[str, Trouble]:
        """Return what can go wrong with a file; it is local: never unreachable, never slow."""
        document = json.dumps({"auths": self.auths})
        one_only = json.dumps({"auths": {HOSTS[0]: self.auths[HOSTS[0]]}})
        return {
            "denied": (self._directory, Reason.UNREADABLE, False),
            "missing": (self.path.unlink, Reason.NOT_FOUND, False),
            "truncated": (lambda: self._put(document[:-9]), Reason.MALFORMED, False),
            "empty": (lambda: self._put(""), Reason.MALFORMED, True),
            "entry gone": (lambda: self._put(one_only), Reason.FIELD_MISSING, False),
        }

    def _put(self, text: str) -> None:
        self.path.write_text(text)

    def _directory(self) -> None:
        """Put a directory in its place: it can't be read, not even by root."""
        self.path.unlink()
        self.path.mkdir()


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> DockerConfigBench:
    """Return a fresh file."""
    return DockerConfigBench(tmp_path)
