from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.kubernetes_benches import kubernetes_bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.benches import TargetBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[TargetBench]:
    with kubernetes_bench(tmp_path, "Opaque") as bench:
        yield bench
