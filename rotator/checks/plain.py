"""Inspects a source or target whose driver has no inspection of its own: only reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator import sources, targets
from rotator.config.target_common import TargetSettings
from rotator.decoding import load
from rotator.inspection import Given, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.config.sources import SourceSettings
    from rotator.inspection import Case, Found


def inspect(settings: SourceSettings | TargetSettings, case: Case) -> Iterator[Found]:
    """Read a target. Fetch from a source only with `--consume`: nobody knows what that uses up."""
    if isinstance(settings, TargetSettings):
        driver = load(targets.DRIVERS[settings.type].module)
        held = driver.build(settings, settings.policy(), case.clock).read()
        yield ok("it can be read")
        yield from (warning(note, "see what is there") for note in held.notes)
        yield held
    elif case.consume:
        driver = load(sources.DRIVERS[settings.type].module)
        yield Given(driver.build(settings, case.clock).fetch(()))
    else:
        yield warning(
            "not asked: whether that uses something up is not known",
            "to fetch from it once: rotator check --consume",
        )
