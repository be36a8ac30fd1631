"""Says of a file, Secret or ConfigMap what beats it: see `gitlab.overruling`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from rotator.config.targets import FileTargetSettings, GitlabVariableTargetSettings
from rotator.core.docker_config import shown
from rotator.gitlab.overruling import KEY, WINS, configured

if TYPE_CHECKING:
    from rotator.checks.finding import Findings
    from rotator.config.target_common import TargetSettings
    from rotator.inspection import Case

RUNNER_CONFIG = Path("/etc/gitlab-runner/config.toml")
_READ_ELSEWHERE = ("file", "kubernetes_secret", "kubernetes_configmap")


def mention(settings: TargetSettings, case: Case, findings: Findings) -> None:
    """Say of a file, Secret or ConfigMap what would beat it, as far as this is known here."""
    if settings.type not in _READ_ELSEWHERE:
        return
    if isinstance(settings, FileTargetSettings):
        runner_config(findings)
    if not any(isinstance(each, GitlabVariableTargetSettings) for each in configured(case)):
        findings.ok(
            f"whether jobs also have a variable {KEY}, which Docker 28.3 or newer and GitLab "
            "Runner take first, is not known: no target of the configuration has a GitLab token",
            f"see {KEY} under Settings > CI/CD > Variables of the project and of each group above",
        )


def runner_config(findings: Findings, path: Path = RUNNER_CONFIG) -> None:
    """Say whether the runner on this machine sets the variable itself."""
    try:
        runners = tomllib.loads(path.read_text(errors="replace")).get("runners", [])
        named = [
            str(runner.get("name", number))
            for number, runner in enumerate(runners)
            if any(str(each).startswith(f"{KEY}=") for each in runner.get("environment", []))
        ]
    except (OSError, ValueError, AttributeError, TypeError):
        return  # there is none here, or we may not read it
    if named:
        findings.warning(
            f"{path}: `environment` of the runner {', '.join(map(shown, named))} sets {KEY}: "
            f"{WINS}",
            f"take {KEY}=… out of `environment` there",
        )
