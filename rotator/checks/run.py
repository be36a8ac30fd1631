"""Runs every check at once, and puts what they found in the order of the configuration."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from rotator import sources, targets
from rotator.checks import inputs
from rotator.checks.across import RotationChecks, compare
from rotator.checks.registry import given, prove_once, published
from rotator.config.kubernetes_targets import KubernetesTargetSettings
from rotator.config.sources import VaultSourceSettings
from rotator.config.target_common import TargetSettings
from rotator.config.targets import GitlabVariableTargetSettings, VaultKvTargetSettings
from rotator.core.record import Record, RecordError
from rotator.decoding import load
from rotator.http.client import Limits
from rotator.inspection import LONGEST, SECONDS, Afterwards, Case, Finding, Findings, Given
from rotator.observe.progress import watched
from rotator.registry.prover import RegistryProver
from rotator.system.each import ThreadedEach, slowest_answer
from rotator.system.journal import fingerprint, saved_key
from rotator.system.state_dir import saved_record, write_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import ModuleType

    from rotator.config.schema import Configuration, RotationSettings
    from rotator.config.sources import SourceSettings
    from rotator.core.model import Held
    from rotator.core.ports import Clock, Driver, Each, Fingerprint, Prove
    from rotator.inspection import Found
    from rotator.observe.progress import Progress

PROOF = Limits(connect=1.0, read=2.0, overall=8.0)
"""A registry that is silent costs less time than a check may go without an answer."""

SLOW = 2.5
"""After so many seconds an answer is worth a warning."""

CONSUMING_SECONDS = 30.0
"""With `--consume` nothing is left halfway: a check has to end the credentials that it made."""


@dataclass(frozen=True, slots=True, eq=False)
class _Check:
    """One source or target, and its findings; `inspection`: the module that adds them."""

    settings: SourceSettings | TargetSettings
    case: Case
    findings: Findings
    inspection: ModuleType
    afterwards: list[Afterwards] = field(default_factory=list)

    @property
    def server(self) -> str | None:
        """The server that is asked: there may be thousands of variables in one GitLab."""
        settings = self.settings
        if isinstance(settings, GitlabVariableTargetSettings):
            return settings.url
        if isinstance(settings, KubernetesTargetSettings):
            return f"{settings.kubeconfig} {settings.context}"
        if isinstance(settings, VaultSourceSettings | VaultKvTargetSettings):
            return settings.address
        return None

    def inspect(self) -> None:
        """Ask, and add what is found; registries are asked as soon as there is a credential."""
        for found in self.inspection.inspect(self.settings, self.case):
            try:
                self._add(found)
            except Exception as error:  # noqa: BLE001  the inspection ends what it began
                self.findings.error(error)
        if (seconds := slowest_answer()) > SLOW:
            self.findings.warning(
                f"slow: an answer took {seconds:.1f} s; the daemon waits 15 s, as this check does",
                "see whether the server is overloaded, or what is on the way to it",
            )

    def _add(self, found: Found) -> None:
        if isinstance(found, Finding):
            self.findings.add(found)
        elif isinstance(found, Afterwards):
            self.afterwards.append(found)
        elif isinstance(found, Given):
            given(found.credentials, self.case, self.findings)
        elif isinstance(self.settings, TargetSettings):
            published(self.settings, found, self.case, self.findings)

    def finish(self) -> None:
        """Do what had to wait for the other checks."""
        for one in self.afterwards:
            if warning := one.do():
                self.findings.add(warning)


def examine(
    configuration: Configuration,
    chosen: Sequence[RotationSettings],
    clock: Clock,
    progress: Progress,
    *,
    consume: bool,
) -> list[RotationChecks]:
    """Return what is found about each of these rotations, within some seconds.

    It takes longer where a server is slow, or many sources and targets are on it: these are asked
    about a few at a time.
    """
    prove = prover(configuration)
    rotations: list[RotationChecks] = []
    for settings in chosen:
        journal = Findings("journal")
        case = open_case(configuration.state_dir, settings, clock, prove, journal, consume=consume)
        case.configured.extend(configuration.rotations)
        rotations.append(
            RotationChecks(
                case,
                journal,
                [(each, Findings(each.name)) for each in settings.sources],
                [(each, Findings(each.target_name)) for each in settings.targets],
            )
        )
    # Loaded before the clock runs: SDKs take their time, and it is not the servers'.
    checks = [check for each in rotations for check in _active(each)]
    every = ThreadedEach(longest=LONGEST)
    each = watched(every, progress, lambda _: "check", lambda check: check.findings.about)
    _all(each, _Check.inspect, checks, CONSUMING_SECONDS if consume else SECONDS)
    _all(
        ThreadedEach(longest=LONGEST),
        _Check.finish,
        [one for one in checks if one.afterwards],
        SECONDS,
    )
    for check in checks:
        inputs.inspect(check.settings, check.findings)
    compare([each for each in rotations if each.case.rotation.enabled])
    return rotations


def _all(
    each: Each, call: Callable[[_Check], None], checks: Sequence[_Check], seconds: float
) -> None:
    for check, answer in zip(checks, each(call, checks, seconds), strict=True):
        if isinstance(answer, Exception):
            check.findings.error(answer)


def _active(rotation: RotationChecks) -> Iterator[_Check]:
    """Yield the checks that there are; say of the others that they are paused."""
    every: list[tuple[dict[str, Driver], SourceSettings | TargetSettings, Findings]] = [
        *((sources.DRIVERS, *one) for one in rotation.sources),
        *((targets.DRIVERS, *one) for one in rotation.targets),
    ]
    for drivers, settings, findings in every:
        paused = isinstance(settings, TargetSettings) and not settings.enabled
        if paused or not rotation.case.rotation.enabled:
            findings.ok("paused (`enabled: false`), so not asked")
        else:
            inspection = load(drivers[settings.type].inspection)
            yield _Check(settings, rotation.case, findings, inspection)


def prover(configuration: Configuration) -> Prove:
    """Return the proof for checks: quick, and each credential is shown to its registry once."""
    access = configuration.registry_access
    return prove_once(RegistryProver(access.ca_file, access.insecure, PROOF).prove)


def open_case(
    state_dir: Path,
    rotation: RotationSettings,
    clock: Clock,
    prove: Prove,
    findings: Findings,
    *,
    consume: bool,
) -> Case:
    """Return what is known of a rotation, and report what is wrong with its journal.

    Reads the state directory and changes nothing in it.
    """
    try:
        record = saved_record(state_dir, rotation.name)
    except RecordError as error:
        record = Record()
        findings.warning(
            f"the record in {state_dir} cannot be read: {error}",
            "nothing to do: the next cycle sets it aside and starts afresh, at the cost of a fetch",
        )
    except OSError as error:
        record = Record()
        findings.warning(
            f"the record in {state_dir} cannot be read ({error.strerror}), so what is ours and how "
            "long it lasts is not known here",
            f"check as the user that rotator runs as: "
            f'sudo -u "$(stat -c %U {shlex.quote(str(state_dir))})" rotator check',
        )
    else:
        if problem := write_problem(state_dir, rotation.name):
            findings.warning(f"{problem}: each restart then costs a renewal", problem.hint)
    return Case(rotation, record, clock, prove, _fingerprint(state_dir), consume, _of_member)


def _of_member(settings: TargetSettings, held: Held, case: Case) -> list[Finding]:
    findings = Findings("")
    published(settings, held, case, findings)
    return findings.all


def _fingerprint(state_dir: Path) -> Fingerprint | None:
    try:
        return partial(fingerprint, saved_key(state_dir))
    except (OSError, ValueError):
        return None
