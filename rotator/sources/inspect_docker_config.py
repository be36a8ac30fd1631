"""Checks the source `docker_config`: the file can be read and its logins are good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.inspection import Case, Found, Given, ok
from rotator.sources.docker_config import build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.config.sources import DockerConfigSourceSettings


def inspect(settings: DockerConfigSourceSettings, case: Case) -> Iterator[Found]:
    """Read the file as a fetch does."""
    credentials = build(settings, case.clock).fetch(())
    several = "logins" if len(credentials) > 1 else "login"
    yield ok(f"{settings.path} holds {len(credentials)} {several}")
    yield Given(credentials)
