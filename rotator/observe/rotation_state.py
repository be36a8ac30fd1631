"""What a daemon shows of one rotation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rotator.config.schema import RotationSettings
    from rotator.core.record import Record
    from rotator.core.report import Report
    from rotator.core.rotation import Rotation


@dataclass(frozen=True, slots=True)
class RotationState:
    """One rotation of a daemon: its settings, its drivers, and how its last cycle ended."""

    settings: RotationSettings
    rotation: Rotation
    record: Record
    report: Report | None
