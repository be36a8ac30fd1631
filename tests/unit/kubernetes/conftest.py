"""API servers: `fake` speaks plain HTTP, `secure` has certificates of `pki`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.certificates import Pki
from tests.fakes.kubernetes import FakeKubernetes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def fake() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as fake:
        yield fake


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


@pytest.fixture
def secure(pki: Pki) -> Iterator[FakeKubernetes]:
    with FakeKubernetes(pki.context()) as fake:
        yield fake
