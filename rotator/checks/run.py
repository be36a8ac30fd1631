"""Runs every check at once, and puts what they found in the order of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rotator.checks import CHECKS, PLAIN, inputs
from rotator.checks.across import RotationChecks, compare
from rotator.checks.case import SECONDS, Case
from rotator.checks.finding import Finding, Findings
from rotator.checks.registry import ProveOnce
from rotator.core.record import Record, RecordError
from rotator.decoding import load
from rotator.http.client import Limits
from rotator.observe.progress import WatchedEach
from rotator.registry import RegistryProver
from rotator.system.each import ThreadedEach
from rotator.system.journal import fingerprint, saved_key
from rotator.system.state_reading import saved_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rotator.config.schema import Configuration, RotationSettings
    from rotator.config.sources import Source as SourceSettings
    from rotator.config.targets import Target as TargetSettings
    from rotator.core.ports import Clock, Fingerprint, Prove
    from rotator.observe.progress import Progress

PROOF = Limits(connect=1.0, read=2.0, overall=2.0)
"""A proof has to end before the checks do."""

CONSUMING_SECONDS = 30.0
"""With `--consume` nothing is left halfway: what a check made has to be ended by it."""


@dataclass(frozen=True, slots=True)
class Examined:
    """One rotation and what was found, source by source and target by target."""

    name: str
    findings: tuple[Finding, ...]
    bugs: tuple[Exception, ...] = ()


@dataclass(slots=True)
class _Check:
    """One source or target, and the findings of its check."""

    settings: SourceSettings | TargetSettings
    case: Case
    findings: Findings

    def load(self) -> Callable[[], None]:
        """Return the call that lets its check write down what it finds."""
        check = load(CHECKS.get(self.settings.type, PLAIN)).check
        return partial(check, self.settings, self.case, self.findings)


@dataclass(frozen=True, slots=True)
class _Call:
    """A check that is ready to run, and what it is about."""

    check: Callable[[], None]
    about: str


@dataclass(frozen=True, slots=True)
class _RotationCheck:
    """All checks of one rotation, and what is wrong with its journal."""

    case: Case
    journal: Findings
    sources: tuple[_Check, ...]
    targets: tuple[_Check, ...]

    @property
    def checks(self) -> tuple[_Check, ...]:
        """The checks in the configuration's order."""
        return self.sources + self.targets

    def compared(self) -> RotationChecks:
        """Return what is compared with other rotations."""
        return RotationChecks(
            self.case, [v.findings for v in self.sources], [v.findings for v in self.targets]
        )

    def examined(self) -> Examined:
        """Return a copy of what was found: a check that hangs may still add to its findings."""
        noted = [
            (tuple(findings.all), findings.bug)
            for findings in (self.journal, *(check.findings for check in self.checks))
        ]
        return Examined(
            self.case.rotation.name,
            tuple(finding for findings, _ in noted for finding in findings),
            tuple(bug for _, bug in noted if bug is not None),
        )


def examine(
    configuration: Configuration,
    chosen: Sequence[RotationSettings],
    clock: Clock,
    progress: Progress,
    *,
    consume: bool,
) -> list[Examined]:
    """Return what is found about each of these rotations, within some seconds."""
    prove = prover(configuration)
    rounds = [
        _rotation_check(configuration.state_dir, each, clock, prove, consume) for each in chosen
    ]
    active = [check for each in rounds for check in each.checks if _is_active(check)]
    for one in rounds:
        one.case.configured.extend(configuration.rotations)
    # Loaded before the clock runs: SDKs take their time, and it is not the servers'.
    calls = [_Call(check.load(), check.findings.about) for check in active]
    watched = WatchedEach(ThreadedEach(), progress, lambda _: "check", lambda call: call.about)
    answers = watched(_call, calls, CONSUMING_SECONDS if consume else SECONDS)
    for check, answer in zip(active, answers, strict=True):
        if isinstance(answer, Exception):
            check.findings.error(answer)
        inputs.inspect(check.settings, check.findings)
    compare([each.compared() for each in rounds if each.case.rotation.enabled])
    return [each.examined() for each in rounds]


def _call(call: _Call) -> None:
    call.check()


def prover(configuration: Configuration) -> Prove:
    """Return the proof for checks: quick, and each credential is shown to its registry once."""
    access = configuration.registry_access
    return ProveOnce(RegistryProver(access.ca_file, access.insecure, PROOF).prove)


def open_case(
    state_dir: Path,
    rotation: RotationSettings,
    clock: Clock,
    prove: Prove,
    findings: Findings,
    *,
    consume: bool,
) -> Case:
    """Return what there is to know of a rotation; what is wrong with its journal is written down.

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
            f'sudo -u "$(stat -c %U {state_dir})" rotator check',
        )
    return Case(rotation, record, clock, prove, _fingerprint(state_dir), consume)


def _fingerprint(state_dir: Path) -> Fingerprint | None:
    try:
        return partial(fingerprint, saved_key(state_dir))
    except (OSError, ValueError):
        return None


def _rotation_check(
    state_dir: Path,
    rotation: RotationSettings,
    clock: Clock,
    prove: Prove,
    consume: bool,  # noqa: FBT001  passed on as it came
) -> _RotationCheck:
    journal = Findings("journal")
    case = open_case(state_dir, rotation, clock, prove, journal, consume=consume)
    return _RotationCheck(
        case,
        journal,
        tuple(_Check(each, case, Findings(each.name)) for each in rotation.sources),
        tuple(_Check(each, case, Findings(each.target_name)) for each in rotation.targets),
    )


def _is_active(check: _Check) -> bool:
    """Tell whether there is anything to ask; say so where there is not."""
    paused = not (check.case.rotation.enabled and getattr(check.settings, "enabled", True))
    if paused:
        check.findings.ok("paused (`enabled: false`), so not asked")
    return not paused
