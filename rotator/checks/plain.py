"""Checks a source or target whose driver has no check of its own: reads it, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rotator import sources, targets
from rotator.checks import registry
from rotator.config.target_common import TargetSettings
from rotator.decoding import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rotator.checks.case import Case
    from rotator.checks.finding import Findings
    from rotator.config.sources import SourceSettings


def check(settings: SourceSettings | TargetSettings, case: Case, findings: Findings) -> None:
    """Read a target. Fetch from a source only with `--consume`: nobody knows what that uses up."""
    if isinstance(settings, TargetSettings):
        held = (
            _module(targets.DRIVERS, settings).build(settings, settings.policy(), case.clock).read()
        )
        findings.ok("it can be read")
        for note in held.notes:
            findings.warning(note, "see what is there")
        registry.published(settings, held, case, findings)
    elif case.consume:
        source = _module(sources.DRIVERS, settings).build(settings, case.clock)
        registry.given(source.fetch(()), case, findings)
    else:
        findings.warning(
            "not asked: whether that uses something up is not known",
            "to fetch from it once: rotator check --consume",
        )


def _module(drivers: Mapping[str, str], settings: Any) -> Any:
    return load(drivers[settings.type])
