"""Who reads what a target publishes, and what of it they will not take as it is configured."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rotator.clients.judge import Problem, judge
from rotator.clients.lookups import Consumer
from rotator.core.docker_config import DockerConfig, encode
from rotator.core.docker_merge import merge
from rotator.core.model import Content, Credential, Secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rotator.config.target_common import TargetSettings

VARIABLE = (Consumer.RUNNER, Consumer.DOCKER_FILE, Consumer.DOCKER_VARIABLE)
"""A job also writes a variable into its own file (GitLab's option 3)."""

FILE = (Consumer.DOCKER_FILE, Consumer.CONTAINERS)
RUNNERS_FILE = (Consumer.RUNNER, *FILE)


def readers(target: TargetSettings) -> tuple[Consumer, ...]:
    """Return who reads what a target publishes; only the runner user's own file is the runner's."""
    if target.type == "gitlab_variable":
        return VARIABLE
    in_a_home = target.type == "file" and str(target.where()).endswith("/.docker/config.json")
    return RUNNERS_FILE if in_a_home and not target.where().startswith("/opt/") else FILE


def configured(target: TargetSettings, registries: Iterable[str]) -> tuple[Problem, ...]:
    """Return what programs don't take of a document with just these registries."""
    if target.content is not Content.DOCKER_CONFIG:
        return ()
    logins = [
        Credential(registry, f"user-{number}", Secret("-"), datetime.min.replace(tzinfo=UTC))
        for number, registry in enumerate(sorted(registries))
    ]
    return judge(encode(merge(DockerConfig(), logins).config), readers(target)).problems
