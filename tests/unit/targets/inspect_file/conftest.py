"""A file that is well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.privileges import obey_modes
from tests.unit.targets.inspect_file.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Give a file that is well."""
    tmp_path.chmod(0o755)
    yield Rig(tmp_path)
    obey_modes(on=False)
