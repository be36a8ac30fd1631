"""Servers for a test, and kubeconfigs for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.kubernetes.kubeconfig.room import Room

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.certificates import Pki
    from tests.fakes.kubernetes import FakeKubernetes


@pytest.fixture
def room(fake: FakeKubernetes, secure: FakeKubernetes, pki: Pki, tmp_path: Path) -> Room:
    return Room(fake, secure, pki, tmp_path)
