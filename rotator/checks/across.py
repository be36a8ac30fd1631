"""What follows from several sources and targets: lives and jobs, files and variables, documents.

Nothing is asked here: it is all made from what the other checks have found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rotator.config.sources import VaultSourceSettings
from rotator.config.targets import FileTargetSettings, GitlabVariableTargetSettings
from rotator.core import docker_config, docker_merge
from rotator.core.errors import DriverError
from rotator.core.model import Content, Merge
from rotator.observe.safety import COVERS, advisable
from rotator.observe.times import duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from rotator.config.sources import SourceSettings
    from rotator.config.target_common import TargetSettings
    from rotator.core.model import Credential, Held
    from rotator.inspection import Case, Findings

_KEY = "DOCKER_AUTH_CONFIG"


class RotationChecks(NamedTuple):
    """A rotation, and the findings about its journal, its sources and its targets, in order."""

    case: Case
    journal: Findings
    sources: Sequence[tuple[SourceSettings, Findings]]
    targets: Sequence[tuple[TargetSettings, Findings]]

    @property
    def every(self) -> list[Findings]:
        """All findings, in order."""
        return [self.journal, *(found for _, found in (*self.sources, *self.targets))]

    @property
    def credentials(self) -> dict[str, Credential]:
        """What the sources have given, by registry."""
        return {one.registry: one for _, found in self.sources for one in found.credentials}

    def wanted(self, target: TargetSettings) -> list[str]:
        """Return the registries for a target, with those that only a fetch names."""
        known = self.credentials.keys() | self.case.registries().keys()
        return sorted(filter(target.policy().wants, known))


def compare(rotations: Sequence[RotationChecks]) -> None:
    """Add what follows from all findings together."""
    for rotation in rotations:
        _lives(rotation)
        _leases(rotation)
        _values(rotation)
    _file_and_variable(rotations)


def _lives(rotation: RotationChecks) -> None:
    """A job can count on a credential only as long as it lives after the latest renewal."""
    case = rotation.case
    job = case.rotation.longest_job
    targets = [t for t in case.rotation.targets if t.enabled and not t.follows]
    for source, findings in rotation.sources:
        lives = _known_lives(source.name, findings, case)
        for registry, life in sorted(lives.items()):
            hit = [t.target_name for t in targets if t.policy().wants(registry)]
            if hit and job > life * COVERS:
                longest = advisable(life)
                findings.failure(
                    f"`longest_job` is {duration_text(job)}, and what this source gives for "
                    f"{registry} lives {duration_text(life)}: a job in {', '.join(hit)} can "
                    "outlive it",
                    f"{longest and f'set `longest_job` to {longest} or less, '}"
                    "let the credential live longer, or set `follows: true` where running jobs "
                    "see updates",
                )


def _known_lives(source: str, findings: Findings, case: Case) -> dict[str, timedelta]:
    """Return how long this source's credentials live: the fresh ones, else those in the journal."""
    lives = {
        registry: known[0].expires_at - known[0].issued_at
        for registry, known in case.record.credentials.items()
        if known and known[0].source == source and not known[0].foreign and known[0].expires_at
    }
    for credential in findings.credentials:
        lives.pop(credential.registry, None)
        if credential.expires_at is not None:
            lives[credential.registry] = credential.expires_at - credential.issued_at
    return lives


def _leases(rotation: RotationChecks) -> None:
    job = rotation.case.rotation.longest_job
    for source, findings in rotation.sources:
        after = source.revoke_after if isinstance(source, VaultSourceSettings) else None
        if after is not None and after < job:
            findings.warning(
                f"`revoke_after` is {duration_text(after)}: a job that runs for the "
                f"{duration_text(job)} of `longest_job` can lose its credential before it ends",
                "leave `revoke_after` out: the default is `longest_job`",
            )


def _values(rotation: RotationChecks) -> None:
    """Try each variable's value as it would be against GitLab's rules."""
    logins = rotation.credentials
    for target, findings in rotation.targets:
        held = findings.held
        if not isinstance(target, GitlabVariableTargetSettings) or held is None:
            continue
        text = _value(target, held, logins)
        if text is not None:
            from rotator.targets.inspect_gitlab_variable import check_document  # noqa: PLC0415  its SDK is slow

            findings.add(check_document(target, text, held, rotation.case))


def _value(target: TargetSettings, held: Held, logins: dict[str, Credential]) -> str | None:
    """Return what would be published; None where too little is known."""
    policy = target.policy()
    ours = [login for registry, login in logins.items() if policy.wants(registry)]
    if not ours:
        return None
    if policy.content is Content.USERNAME:
        return ours[0].username
    if policy.content is Content.PASSWORD:
        return ours[0].password.reveal()
    config = docker_config.DockerConfig()
    if held.text is not None and policy.merge is Merge.PRESERVE:
        try:
            config = docker_config.decode(held.text.reveal())
        except DriverError:
            return None
    return docker_config.encode(docker_merge.merge(config, ours).config)


def _file_and_variable(rotations: Sequence[RotationChecks]) -> None:
    """New Docker clients read the variable first, so a file beside it may never be read."""
    files: dict[str, list[str]] = {}
    for rotation in rotations:
        for target, _ in rotation.targets:
            if _is_document(target) and isinstance(target, FileTargetSettings):
                for registry in rotation.wanted(target):
                    files.setdefault(registry, []).append(target.target_name)
    for rotation in rotations:
        for target, findings in rotation.targets:
            is_variable = isinstance(target, GitlabVariableTargetSettings) and target.key == _KEY
            if not (_is_document(target) and is_variable):
                continue
            both = [registry for registry in rotation.wanted(target) if registry in files]
            if both:
                names = sorted({name for registry in both for name in files[registry]})
                findings.warning(
                    f"{', '.join(both)} is published here and in {', '.join(names)}: in a job that "
                    f"gets both, new Docker clients take the variable {_KEY} and ignore the file",
                    "publish each registry in one of them (`registries:`), or see that no job gets "
                    "both",
                )


def _is_document(target: TargetSettings) -> bool:
    return target.enabled and target.content is Content.DOCKER_CONFIG
