"""A fake cluster with a namespace `ci`, and targets for an object in it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rotator.core.errors import DriverError
from rotator.core.model import Held, Mark, Policy, Secret
from rotator.kubernetes.access import Access
from rotator.kubernetes.place import Place
from rotator.targets.kubernetes import KubernetesTarget
from tests.support import NOW

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.kubernetes import FakeKubernetes

PASSWORD = "s3cr3t-password"
TEXT = Secret(json.dumps({"auths": {"registry.example.com": {"auth": PASSWORD}}}))
LATER = Secret('{"auths":{"later.example.com":{"auth":"s3cr3t-later"}}}')
MARK = Mark({"registry.example.com": NOW + timedelta(hours=12)}, "hmac:0123456789ab", "dind")
ROTATOR_TOKEN = "s3cr3t-rotator-token"
ROTATOR = "system:serviceaccount:ci:rotator"
PULL_SECRET = "kubernetes.io/dockerconfigjson"


class World:
    """A fake with a namespace `ci`, and targets that use it."""

    def __init__(self, fake: FakeKubernetes, directory: Path) -> None:
        self.fake = fake
        self.objects = fake.objects
        self.objects.namespaces["ci"] = "Active"
        self.kubeconfig = fake.kubeconfig(directory / "kubeconfig")

    def target(
        self, secret_type: str | None = None, *, access: Access | None = None, **more: Any
    ) -> KubernetesTarget:
        """Return a target for the object `docker` in `ci`."""
        kind = "secret" if secret_type else "configmap"
        key = ".dockerconfigjson" if secret_type == PULL_SECRET else "config.json"
        access = access or Access(self.kubeconfig, connect_seconds=1, read_seconds=2)
        place = Place(kind, "ci", "docker", key, access)
        return KubernetesTarget("t", Policy(), place, secret_type, **more)

    def put(self, plural: str = "configmaps", **content: Any) -> dict[str, Any]:
        """Let a person make the object."""
        metadata = {"name": "docker", **content.pop("metadata", {})}
        return self.objects.create(plural, "ci", {"metadata": metadata, **content}, "kubectl")

    def look(self, plural: str = "configmaps") -> dict[str, Any]:
        """Return the object as the server shows it."""
        return self.objects.get(plural, "ci", "docker")


def error_of_write(target: KubernetesTarget, held: Held | None = None) -> DriverError:
    """Return what a write fails with, after a look for the secret in it."""
    with pytest.raises(DriverError) as caught:
        target.write(TEXT, MARK, held or target.read())
    assert PASSWORD not in f"{caught.value} {caught.value.detail} {caught.value.hint}"
    return caught.value


@pytest.fixture
def world(fake_kubernetes: FakeKubernetes, tmp_path: Path) -> World:
    """Give a cluster with targets to a test."""
    return World(fake_kubernetes, tmp_path)
