"""What one source or target alone can't tell: lives and jobs, files and variables, whole documents.

Nothing is asked here: it is all made from what the other checks have found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rotator.config.targets import FileTargetSettings, GitlabVariableTargetSettings
from rotator.core import docker_config
from rotator.core.errors import DriverError
from rotator.core.model import Content, Merge
from rotator.observe.words import in_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from rotator.checks.case import Case
    from rotator.checks.finding import Sheet
    from rotator.config.target_common import TargetSettings
    from rotator.config.targets import Target
    from rotator.core.model import Credential

_KEY = "DOCKER_AUTH_CONFIG"

# The earliest renewal is after a tenth of a life, and until the next one that much is gone.
_COVERS = 0.9


@dataclass(frozen=True, slots=True)
class Patient:
    """A rotation and the sheets of its sources and targets, in the configuration's order."""

    case: Case
    sources: Sequence[Sheet]
    targets: Sequence[Sheet]

    def wanted(self, target: TargetSettings) -> list[str]:
        """Return the registries for a target, with those that only a fetch could tell."""
        fetched = {login.registry for sheet in self.sources for login in sheet.credentials}
        return sorted(filter(target.policy().wants, fetched | self.case.registries().keys()))


def compare(patients: Sequence[Patient]) -> None:
    """Write down on the sheets what follows from all of them together."""
    for patient in patients:
        _lives(patient)
        _leases(patient)
        _values(patient)
    _file_and_variable(patients)


def _lives(patient: Patient) -> None:
    """A job can count on a credential only as long as it lives after the latest renewal."""
    case = patient.case
    job = case.rotation.longest_job
    targets = [t for t in case.rotation.targets if t.enabled and not t.follows]
    for source, sheet in zip(case.rotation.sources, patient.sources, strict=True):
        lives = _known_lives(source.name, sheet, case)
        for registry, life in sorted(lives.items()):
            hit = [t.target_name for t in targets if t.policy().wants(registry)]
            if hit and job > life * _COVERS:
                sheet.failure(
                    f"`longest_job` is {in_words(job)}, and what this source gives for {registry} "
                    f"lives {in_words(life)}: a job in {', '.join(hit)} can outlive it",
                    f"set `longest_job` to {int((life * _COVERS).total_seconds() // 60)}m or less, "
                    "let the credential live longer, or set `follows: true` where running jobs "
                    "see updates",
                )


def _known_lives(source: str, sheet: Sheet, case: Case) -> dict[str, timedelta]:
    """Return how long this source's credentials live: the fresh ones, else those in the journal."""
    lives = {
        registry: known[0].expires_at - known[0].issued_at
        for registry, known in case.record.credentials.items()
        if known and known[0].source == source and not known[0].foreign and known[0].expires_at
    }
    for credential in sheet.credentials:
        lives.pop(credential.registry, None)
        if credential.expires_at is not None:
            lives[credential.registry] = credential.expires_at - credential.issued_at
    return lives


def _leases(patient: Patient) -> None:
    job = patient.case.rotation.longest_job
    for source, sheet in zip(patient.case.rotation.sources, patient.sources, strict=True):
        after = getattr(source, "revoke_after", None)
        if after is not None and after < job:
            sheet.warning(
                f"`revoke_after` is {in_words(after)}: a job that runs for the {in_words(job)} of "
                "`longest_job` can lose its credential before it ends",
                "leave `revoke_after` out: the default is `longest_job`",
            )


def _values(patient: Patient) -> None:
    """Try each variable's value as it would be against GitLab's rules."""
    logins = {login.registry: login for sheet in patient.sources for login in sheet.credentials}
    for target, sheet in zip(patient.case.rotation.targets, patient.targets, strict=True):
        if isinstance(target, GitlabVariableTargetSettings) and target.enabled:
            text = _value(target, sheet, logins)
            if text is not None:
                from rotator.checks.gitlab import check_document  # noqa: PLC0415  its SDK is slow

                check_document(target, text, patient.case, sheet)


def _value(
    target: GitlabVariableTargetSettings, sheet: Sheet, logins: dict[str, Credential]
) -> str | None:
    """Return what would be published; None where too little is known."""
    if sheet.held is None:
        return None
    policy = target.policy()
    ours = [login for registry, login in logins.items() if policy.wants(registry)]
    if not ours:
        return None
    if policy.content is Content.USERNAME:
        return ours[0].username
    if policy.content is Content.PASSWORD:
        return ours[0].password.reveal()
    there = sheet.held.text
    config = docker_config.DockerConfig()
    if there is not None and policy.merge is Merge.PRESERVE:
        try:
            config = docker_config.decode(there.reveal())
        except DriverError:
            return None
    return docker_config.encode(docker_config.merge(config, ours).config)


def _file_and_variable(patients: Sequence[Patient]) -> None:
    """New Docker clients look into the variable first, so a file beside it may never be read."""
    files: dict[str, list[str]] = {}
    for patient in patients:
        for target in patient.case.rotation.targets:
            if _is_document(target) and isinstance(target, FileTargetSettings):
                for registry in patient.wanted(target):
                    files.setdefault(registry, []).append(target.target_name)
    for patient in patients:
        pairs = zip(patient.case.rotation.targets, patient.targets, strict=True)
        for target, sheet in pairs:
            if not (_is_document(target) and _is_auth_config(target)):
                continue
            both = [registry for registry in patient.wanted(target) if registry in files]
            if both:
                names = sorted({name for registry in both for name in files[registry]})
                sheet.warning(
                    f"{', '.join(both)} is published here and in {', '.join(names)}: in a job that "
                    f"gets both, new Docker clients take the variable {_KEY} and ignore the file",
                    "publish each registry in one of them (`registries:`), or see that no job gets "
                    "both",
                )


def _is_document(target: TargetSettings) -> bool:
    return target.enabled and target.content is Content.DOCKER_CONFIG


def _is_auth_config(target: Target) -> bool:
    return isinstance(target, GitlabVariableTargetSettings) and target.key == _KEY
