"""The benches of both Kubernetes targets: over the fake, and over a real API server if given one.

`ROTATOR_TEST_KUBECONFIG=FILE` names a kubeconfig that may do everything; its cluster gets a
namespace of a random name, which is deleted afterwards.
"""

from __future__ import annotations

import base64
import os
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import yaml
from lightkube import ApiError, Client, KubeConfig
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Namespace
from lightkube.resources.core_v1 import Secret as SecretObject

from rotator.core.errors import Reason
from rotator.core.model import Secret
from rotator.targets.kubernetes import KubernetesTarget
from rotator.targets.kubernetes_access import Access
from rotator.targets.kubernetes_errors import Place
from tests.fakes.kubernetes import ADMIN, FakeKubernetes
from tests.support import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rotator.core.model import Policy
    from rotator.core.ports import Target
    from tests.contract.benches import Trouble

NAME = "docker-client-config"
POWERLESS = "s3cr3t-powerless-token"
GIVEN = os.environ.get("ROTATOR_TEST_KUBECONFIG")


class KubernetesBench:
    """An object in a namespace of its own; `secret_type` is None for a ConfigMap."""

    secrets: tuple[Secret, ...] = (Secret(ADMIN), Secret(POWERLESS))

    def __init__(self, kubeconfig: Path, secret_type: str | None) -> None:
        self._secret_type = secret_type
        pull_secret = secret_type not in (None, "Opaque")
        self._key = ".dockerconfigjson" if pull_secret else "config.json"
        self._class: Any = SecretObject if secret_type else ConfigMap
        self._namespace = f"rotator-test-{uuid4().hex[:8]}"
        self._access = Access(kubeconfig, connect_seconds=1, read_seconds=5)
        self._client = Client(
            KubeConfig.from_file(kubeconfig), self._namespace, field_manager="somebody"
        )
        self._versions: set[str] = set()

    def target(self, policy: Policy) -> Target:
        """Build the driver anew."""
        kind = "secret" if self._secret_type else "configmap"
        place = Place(kind, self._namespace, NAME, self._key, self._access)
        return KubernetesTarget(f"kubernetes_{kind}:{NAME}", policy, place, self._secret_type)

    def raw(self) -> str | None:
        """Return what the key holds."""
        found = self._look()
        value = ((found.data if found else None) or {}).get(self._key)
        if value is None or not self._secret_type:
            return value
        return base64.b64decode(value).decode()

    def put(self, text: str) -> None:
        """Replace the object by one that holds this text and no annotations."""
        value = base64.b64encode(text.encode()).decode() if self._secret_type else text
        content: dict[str, Any] = {"data": {self._key: value}}
        if self._secret_type:
            content["type"] = self._secret_type
        new = self._class(metadata=ObjectMeta(name=NAME), **content)
        if self._look() is None:
            self._client.create(new)
        else:
            self._client.replace(new)
        self._look()

    def writes(self) -> int:
        """Return how many versions of the object were seen, when this or `put` looked."""
        self._look()
        return len(self._versions)

    def troubles(self) -> Mapping[str, Trouble]:
        """Return what can be brought about on any server. A real one can't be told to be slow."""
        return {
            "denied": (self._lose_login, Reason.LOGIN_REJECTED, False),
            "missing": (self._lose_namespace, Reason.NOT_FOUND, False),
            "unreachable": (self._lose_server, Reason.UNREACHABLE, True),
        }

    def open(self) -> None:
        """Make the namespace."""
        self._client.create(Namespace(metadata=ObjectMeta(name=self._namespace)))

    def close(self) -> None:
        """Delete the namespace, if it is still there."""
        self._lose_namespace()
        self._client.close()

    def _look(self) -> Any:
        try:
            found = self._client.get(self._class, NAME)
        except ApiError as error:
            if error.status.code != 404:
                raise
            return None
        self._versions.add(found.metadata.resourceVersion)
        return found

    def _rewrite_kubeconfig(self, *, user: Any = None, server: str | None = None) -> None:
        """Point later calls to a changed copy of the kubeconfig."""
        assert self._access.kubeconfig
        config = yaml.safe_load(self._access.kubeconfig.read_text())
        if user:
            config["users"] = [{"name": one["name"], "user": user} for one in config["users"]]
        for cluster in config["clusters"] if server else ():
            cluster["cluster"] = {"server": server, "insecure-skip-tls-verify": True}
        self._access.kubeconfig.write_text(yaml.safe_dump(config))

    def _lose_namespace(self) -> None:
        try:
            self._client.delete(Namespace, self._namespace)
        except ApiError as error:
            if error.status.code not in (404, 409):
                raise

    def _lose_login(self) -> None:
        self._rewrite_kubeconfig(user={"token": "s3cr3t-revoked-token"})

    def _lose_server(self) -> None:
        self._rewrite_kubeconfig(server=f"http://127.0.0.1:{free_port()}")


class FakeBench(KubernetesBench):
    """The same over the fake, which counts, and can be told what to suffer."""

    def __init__(self, fake: FakeKubernetes, kubeconfig: Path, secret_type: str | None) -> None:
        super().__init__(fake.kubeconfig(kubeconfig), secret_type)
        self._access = replace(self._access, read_seconds=0.5)
        self._fake = fake
        self._plural = "secrets" if secret_type else "configmaps"

    def writes(self) -> int:
        """Return how many writes the server was asked for."""
        return self._fake.writes()

    def troubles(self) -> Mapping[str, Trouble]:
        """Return all that the driver knows to tell apart and that reading or writing can meet."""
        return {
            **super().troubles(),
            "forbidden": (self._lose_rights, Reason.FORBIDDEN, False),
            "slow": (self._fake.hang, Reason.TIMEOUT, True),
        }

    def close(self) -> None:
        """Let go of the client: it all goes with the fake."""
        self._client.close()

    def _look(self) -> Any:
        # Not over HTTP: this is to see something even while the server hangs.
        found = self._fake.objects.stored.get((self._plural, self._namespace, NAME))
        return self._class.from_dict(found.shown()) if found else None

    def _lose_rights(self) -> None:
        self._fake.allow(POWERLESS, "system:serviceaccount:ci:powerless", [], None)
        self._rewrite_kubeconfig(user={"token": POWERLESS})


@contextmanager
def kubernetes_bench(directory: Path, secret_type: str | None) -> Iterator[KubernetesBench]:
    """Yield a bench over the server that is given, else over a fake of its own."""
    if GIVEN is None:
        with FakeKubernetes() as fake:
            bench = FakeBench(fake, directory / "kubeconfig", secret_type)
            bench.open()
            yield bench
            bench.close()
        return
    copy = directory / "kubeconfig"
    copy.write_text(Path(GIVEN).read_text())
    given = KubernetesBench(copy, secret_type)
    given.open()
    try:
        yield given
    finally:
        given.close()
