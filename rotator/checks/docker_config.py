"""Checks the source `docker_config`: the file can be read and its logins are good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.checks import registry
from rotator.sources.docker_config import build

if TYPE_CHECKING:
    from rotator.checks.case import Case
    from rotator.checks.finding import Findings
    from rotator.config.sources import DockerConfigSourceSettings


def check(settings: DockerConfigSourceSettings, case: Case, findings: Findings) -> None:
    """Read the file as a fetch does."""
    credentials = build(settings, case.clock).fetch(())
    several = "logins" if len(credentials) > 1 else "login"
    findings.ok(f"{settings.path} holds {len(credentials)} {several}")
    registry.given(credentials, case, findings)
