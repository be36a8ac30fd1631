from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract import kubernetes_benches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.benches import TargetBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[TargetBench]:
    with kubernetes_benches.fake_bench(tmp_path, "Opaque") as bench:
        yield bench


@pytest.fixture
def real_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TargetBench]:
    with kubernetes_benches.real_bench(request, tmp_path, "Opaque") as bench:
        yield bench
