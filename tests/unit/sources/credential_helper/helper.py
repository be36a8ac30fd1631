"""A source whose helper is a shell script."""

from __future__ import annotations

import base64
import os
import traceback
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rotator.config.sources import CredentialHelperSourceSettings
from rotator.core.errors import DriverError
from rotator.sources.credential_helper import CredentialHelperSource
from tests.fakes.credential_helper import SECRET, install
from tests.support import NOW

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HOST = "registry.example.com:5000"


def source(
    folder: Path,
    script: str | None = None,
    *registries: str,
    timeout: float = 30,
    lifetime: timedelta | None = None,
    environment: Mapping[str, str] | None = None,
) -> CredentialHelperSource:
    """Build a source whose helper is this shell script."""
    if script is not None:
        install(folder, "spy", script)
    settings = CredentialHelperSourceSettings(
        name="helper",
        helper="spy",
        registries=registries or (HOST,),
        lifetime=lifetime,
        timeout=timedelta(seconds=timeout),
    )
    variables = {"PATH": f"{folder}:{os.environ['PATH']}", **(environment or {})}
    return CredentialHelperSource(settings, lambda: NOW, variables)


def failure(broken: CredentialHelperSource) -> DriverError:
    """Return what a fetch raises, after a search for the secret in all that may be printed."""
    with pytest.raises(DriverError) as caught:
        broken.fetch(())
    error = caught.value
    printed = "".join(traceback.format_exception(error)) + error.detail + error.hint
    for form in (SECRET, base64.b64encode(SECRET.encode()).decode()):
        assert form not in printed
    return error
