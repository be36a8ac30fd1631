"""Looks for a `DOCKER_AUTH_CONFIG` of somebody else, which beats the file that rotator publishes.

Docker ≥ 28.3 and GitLab Runner take a login from `$DOCKER_AUTH_CONFIG` where that has one for the
registry, dead or not, and from the file only for the others. GitLab puts the variable of a project,
of each group above it and of the instance into every job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.config.targets import GitlabVariableTargetSettings
from rotator.core.docker_config import shown
from rotator.core.errors import DriverError
from rotator.gitlab.shadows import Space, has_key
from rotator.inspection import ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.config.target_common import TargetSettings
    from rotator.gitlab.api import GitlabApi
    from rotator.gitlab.asked import Asked
    from rotator.inspection import Case, Found

KEY = "DOCKER_AUTH_CONFIG"
WINS = "Docker 28.3 or newer and GitLab Runner take its logins before those that rotator publishes"


def overruling(api: GitlabApi, asked: Asked, case: Case) -> Iterator[Found]:
    """Ask GitLab for such a variable at a target's group or project, above it, and the instance."""
    if not any(map(_is_beaten, configured(case))):
        return
    ours = {
        (target.owner, target.owner_path)
        for target in configured(case)
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
        yield warning(
            f"{' and '.join(found)} has a variable {KEY} that no target here writes: {WINS}",
            f"delete it there, or add a target for it here; a job that means the file: unset {KEY}",
        )
    elif unknown:
        yield ok(
            f"no variable {KEY} overrules the file, but this token can't read the variables of "
            f"{' and '.join(unknown)}"
        )
    else:
        yield ok(f"no variable {KEY} of another overrules what is published")


def configured(case: Case) -> list[TargetSettings]:
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
