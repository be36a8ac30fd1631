"""A group with a token of its Owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.targets.inspect_gitlab_variable.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.gitlab import FakeGitlab


@pytest.fixture
def rig(tmp_path: Path, fake_gitlab: FakeGitlab) -> Rig:
    """Give a group with a token of its Owner."""
    return Rig(tmp_path, fake_gitlab)
