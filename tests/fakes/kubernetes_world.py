"""A fake cluster with a namespace `ci`, and targets for an object in it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rotator.config.kubernetes_targets import (
    KubernetesConfigMapTargetSettings,
    KubernetesSecretTargetSettings,
)
from rotator.core.errors import DriverError
from rotator.core.model import Held, Mark, Policy, Secret
from rotator.kubernetes.access import Access
from rotator.targets.kubernetes import KubernetesTarget, Settings
from tests.fakes.kubernetes import FakeKubernetes
from tests.support import NOW, made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "s3cr3t-password"
TEXT = Secret(json.dumps({"auths": {"registry.example.com": {"auth": PASSWORD}}}))
LATER = Secret('{"auths":{"later.example.com":{"auth":"s3cr3t-later"}}}')
MARK = Mark({"registry.example.com": NOW + timedelta(hours=12)}, "hmac:0123456789ab", "dind")
ROTATOR_TOKEN = "s3cr3t-rotator-token"
ROTATOR = "system:serviceaccount:ci:rotator"
PULL_SECRET = "kubernetes.io/dockerconfigjson"


def kubernetes_target(
    access: Access,
    secret_type: str | None = None,
    namespace: str = "ci",
    policy: Policy = Policy(),  # noqa: B008  it is immutable
    *,
    listed: bool = False,
    **more: Any,
) -> KubernetesTarget:
    """Return a target for a Secret of this type or, without one, a ConfigMap: `docker`."""
    keys = {"namespace": namespace, "name": "docker", **more}
    settings: Settings = (
        made(KubernetesSecretTargetSettings, secret_type=secret_type, **keys)
        if secret_type
        else made(KubernetesConfigMapTargetSettings, **keys)
    )
    return KubernetesTarget(settings, policy, access, namespace, listed=listed)


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
        access = access or Access(self.kubeconfig, connect_seconds=1, read_seconds=2)
        return kubernetes_target(access, secret_type, **more)

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
def world(tmp_path: Path) -> Iterator[World]:
    with FakeKubernetes() as fake:
        yield World(fake, tmp_path)
