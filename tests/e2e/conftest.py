"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.kubernetes_rotation import Rotation
from tests.e2e.site import Site
from tests.fakes.registry import BasicRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.ecr import FakeEcr
    from tests.integration.cluster import Cluster
    from tests.servers.openbao import OpenBao


@pytest.fixture
def site(tmp_path: Path, openbao: OpenBao, fake_ecr: FakeEcr) -> Iterator[Site]:
    """A site where everything works."""
    with BasicRegistry({}) as registry:
        yield Site(tmp_path, openbao, fake_ecr, registry)


@pytest.fixture
def rotation(cluster: Cluster, tmp_path: Path) -> Rotation:
    """A rotation to a Secret of a real API server, which has published once."""
    made = Rotation(cluster, tmp_path / "place")
    made.run("run-once", code=0)
    return made
