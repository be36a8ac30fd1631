"""The `credential_helper` source on the suite's bench: a helper that can be made to suffer."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rotator.config.sources import CredentialHelperSourceSettings
from rotator.core.errors import Reason
from rotator.core.model import Secret
from rotator.sources.credential_helper import CredentialHelperSource
from tests.fakes.credential_helper import SECRET, answer, install
from tests.support import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.contract.benches import Trouble

HOST = "registry.example.com"
TIMEOUT = timedelta(seconds=3)
"""Long for a script that answers at once, short for the test that waits for its end."""


class CredentialHelperBench:
    """A `docker-credential-bench` in a folder of its own, which writes down each run."""

    def __init__(self, folder: Path) -> None:
        self.secrets = (Secret(SECRET),)
        self._folder = folder / "bin"
        self._runs = folder / "runs"
        self._helper = self._install(answer())

    def source(self) -> CredentialHelperSource:
        """Build the driver anew."""
        return CredentialHelperSource(
            CredentialHelperSourceSettings(
                name="credential_helper", helper="bench", registries=(HOST,), timeout=TIMEOUT
            ),
            lambda: NOW,
            {"PATH": f"{self._folder}:{os.environ['PATH']}"},
        )

    def registries(self) -> frozenset[str]:
        """Return the one registry that is asked for."""
        return frozenset({HOST})

    def calls(self) -> int:
        """Return how often the helper was run."""
        return len(self._runs.read_text().splitlines()) if self._runs.exists() else 0

    def troubles(self) -> Mapping[str, Trouble]:
        """Return what a helper can do wrong; each also tells its secret where it should not."""
        unknown = "credentials not found in native keychain"
        refused = "dial tcp 127.0.0.1:1: connect: connection refused"
        return {
            "denied": (self._doing(f"echo {unknown}; exit 1"), Reason.NOT_FOUND, False),
            "missing": (self._helper.unlink, Reason.NOT_FOUND, False),
            "unreachable": (self._doing(f"echo {refused}; exit 1"), Reason.UNREACHABLE, True),
            "slow": (self._doing("sleep 600"), Reason.TIMEOUT, True),
            "floods": (self._doing("yes"), Reason.TOO_LARGE, False),
            "crashes": (self._doing("kill -SEGV $$"), Reason.UNAVAILABLE, True),
            "silent": (self._doing("exec >&-; exit 0"), Reason.MALFORMED, False),
        }

    def _doing(self, script: str) -> Callable[[], None]:
        def trouble() -> None:
            self._install(f"echo {SECRET} >&2; echo {SECRET}; {script}")

        return trouble

    def _install(self, script: str) -> Path:
        return install(self._folder, "bench", f"echo run >>{self._runs}; {script}")


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> CredentialHelperBench:
    """Return a fresh helper."""
    return CredentialHelperBench(tmp_path)
