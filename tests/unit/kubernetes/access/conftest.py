"""What a pod has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.kubernetes.cluster import ALL, TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.certificates import Pki
    from tests.fakes.kubernetes import FakeKubernetes


@pytest.fixture
def pod(pki: Pki, secure: FakeKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a pod has: the service account's directory and the server's address."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", secure.url.rpartition(":")[2])
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "ca.crt").write_bytes(pki.ca.read_bytes())
    (account / "namespace").write_text("elsewhere")
    (account / "token").write_text(TOKEN)
    secure.allow(TOKEN, "system:serviceaccount:ci:rotator", ALL, "ci")
    return account
