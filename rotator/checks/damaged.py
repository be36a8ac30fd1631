"""What a cycle would do with a document that no client can read: by the rule of `core/plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator import targets
from rotator.checks.wrapping import unwrap
from rotator.config.kubernetes_targets import KubernetesTargetSettings
from rotator.core.candidate import Candidate
from rotator.core.model import Credential, Secret
from rotator.core.observe import Observation
from rotator.core.plan import damaged_document
from rotator.core.situation import HoldBack, Situation
from rotator.decoding import load
from rotator.inspection import Findings

if TYPE_CHECKING:
    from rotator.config.target_common import TargetSettings
    from rotator.core.errors import DriverError
    from rotator.core.model import Held
    from rotator.core.ports import Target
    from rotator.inspection import Case


def damaged(
    settings: TargetSettings, held: Held, case: Case, findings: Findings, error: DriverError
) -> None:
    """Say what is wrong with a document, and whether rotator repairs it; `error`: why it is."""
    text = held.text.reveal() if held.text else ""
    said = Findings("")
    unwrap(text.encode("utf-8", "replace"), said)
    for around in said.all:
        if around.level == "ok":
            findings.ok(around.found)
    why = next((one.found for one in said.all if one.level == "failure"), error.detail)
    found = f"no client can read what is there: {why}"
    driver = _driver(settings, case)
    decision = damaged_document(_situation(driver, settings, held, case))
    if isinstance(decision, HoldBack):
        findings.failure(f"{found}; rotator leaves it as it is", decision.failure.hint)
        return
    aside = "; the damaged text is stored beside it, as *.broken"
    repair = f"the next cycle repairs it{aside if driver.sets_aside and text.strip() else ''}"
    findings.warning(f"{found}; {repair}", f"rotator run-once {case.rotation.name}")


def _driver(settings: TargetSettings, case: Case) -> Target:
    if isinstance(settings, KubernetesTargetSettings) and settings.namespace is None:
        # One of its objects: each is written by itself.
        settings = replace(settings, namespace="any", namespaces=None, namespace_selector=None)
    module = load(targets.DRIVERS[settings.type].module)
    driver: Target = module.build(settings, settings.policy(), case.clock)
    return driver


def _situation(driver: Target, settings: TargetSettings, held: Held, case: Case) -> Situation:
    """Return the situation of a cycle whose sources give what they should."""
    now, schedule = case.clock(), case.rotation.timing()
    logins = {r: Credential(r, "", Secret(""), now) for r in case.wanted(settings)}
    return Situation(
        observation=Observation(driver, held),
        past=case.record.target(settings.target_name),
        rotation=case.rotation.name,
        registries=frozenset(logins),
        chosen={r: Candidate(one, "", "") for r, one in logins.items()},
        candidates={},
        remove=frozenset(case.rotation.remove),
        now=now,
        poll=schedule.poll,
        reserve=schedule.reserve,
        fingerprint=case.fingerprint or (lambda _: ""),
    )
