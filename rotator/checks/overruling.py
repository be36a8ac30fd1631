"""Looks for what beats the file that rotator publishes: a `DOCKER_AUTH_CONFIG` of somebody else.

Docker ≥ 28.3 and GitLab Runner take a login from `$DOCKER_AUTH_CONFIG` where that has one for the
registry, dead or not, and from the file only for the others. GitLab puts the variable of a project,
of each group above it and of the instance into every job; a runner its own `environment`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from rotator.checks.gitlab_shadows import Space, has_key
from rotator.config.targets import FileTargetSettings, GitlabVariableTargetSettings
from rotator.core.docker_config import shown
from rotator.core.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.checks.case import Case
    from rotator.checks.finding import Findings
    from rotator.config.target_common import TargetSettings
    from rotator.gitlab.api import GitlabApi
    from rotator.gitlab.asked import Asked

KEY = "DOCKER_AUTH_CONFIG"
RUNNER_CONFIG = Path("/etc/gitlab-runner/config.toml")
_WINS = "Docker 28.3 or newer and GitLab Runner take its logins before those that rotator publishes"
_READ_ELSEWHERE = ("file", "kubernetes_secret", "kubernetes_configmap")


def mention(settings: TargetSettings, case: Case, findings: Findings) -> None:
    """Say of a file, Secret or ConfigMap what would beat it, as far as this is known here."""
    if settings.type not in _READ_ELSEWHERE:
        return
    if isinstance(settings, FileTargetSettings):
        runner_config(findings)
    if not any(isinstance(each, GitlabVariableTargetSettings) for each in _targets(case)):
        findings.ok(
            f"whether jobs also have a variable {KEY}, which Docker 28.3 or newer and GitLab "
            "Runner take first, is not known: no target of the configuration has a GitLab token",
            f"see {KEY} under Settings > CI/CD > Variables of the project and of each group above",
        )


def look(api: GitlabApi, asked: Asked, case: Case, findings: Findings) -> None:
    """Ask GitLab for such a variable at a target's group or project, above it, and the instance."""
    if not any(map(_is_beaten, _targets(case))):
        return
    ours = {
        (target.owner, target.owner_path)
        for target in _targets(case)
        if isinstance(target, GitlabVariableTargetSettings)
        and target.url == asked.url
        and target.key == KEY
        and target.enabled
    }
    found, unknown = [], []
    for owner, path in _above(asked):
        if (owner, path) in ours:
            continue
        name = f"{owner} {shown(path)}" if path else "the instance"
        try:
            if has_key(api, owner, path, KEY) != "none":
                found.append(name)
        except DriverError:
            unknown.append(name)
    if found:
        findings.warning(
            f"{' and '.join(found)} has a variable {KEY} that no target here writes: {_WINS}",
            f"delete it there, or add a target for it here; a job that means the file: unset {KEY}",
        )
    elif unknown:
        findings.ok(
            f"no variable {KEY} overrules the file, but this token can't read the variables of "
            f"{' and '.join(unknown)}"
        )
    else:
        findings.ok(f"no variable {KEY} of another overrules what is published")


def _targets(case: Case) -> list[TargetSettings]:
    """Return the targets of the whole configuration: one token can look for all of them."""
    return [target for each in case.configured or [case.rotation] for target in each.targets]


def _is_beaten(target: TargetSettings) -> bool:
    """Tell whether a job reads what this target publishes after the variable."""
    is_variable = isinstance(target, GitlabVariableTargetSettings) and target.key == KEY
    return target.enabled and not is_variable


def _above(asked: Asked) -> Iterator[Space]:
    """Give the place itself, the groups above it, and the instance."""
    yield asked.owner, asked.path
    path = "" if asked.path.isdigit() else asked.path
    while path := path.rpartition("/")[0]:
        yield "group", path
    if asked.owner != "instance":
        yield "instance", ""


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
        return  # there is none here, or it is not for us to read
    if named:
        findings.warning(
            f"{path}: `environment` of the runner {', '.join(map(shown, named))} sets {KEY}: "
            f"{_WINS}",
            f"take {KEY}=… out of `environment` there",
        )
