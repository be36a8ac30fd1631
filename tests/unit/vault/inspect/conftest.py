"""A rotation from a real OpenBao, and a registry that accepts what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.registry import BasicRegistry
from tests.servers.openbao import ROBOT_PASSWORD, OpenBao
from tests.unit.vault.inspect.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def registry() -> Iterator[BasicRegistry]:
    """Give a registry that accepts the robot."""
    with BasicRegistry({"robot": ROBOT_PASSWORD}) as one:
        yield one


@pytest.fixture
def rig(
    tmp_path: Path, openbao: OpenBao, registry: BasicRegistry, kv_secret: str, kv_policy: str
) -> Rig:
    """Give a rotation that is well."""
    rig = Rig(tmp_path, openbao, registry, f"secret/{kv_secret}")
    rig.give(openbao.token(kv_policy))
    return rig
