"""The benches of both Kubernetes targets: over the fake, and over a real API server.

The real one is the suite's own, or that of `ROTATOR_TEST_KUBECONFIG=FILE`: a kubeconfig that may do
everything. Each bench has a namespace of its own, which is deleted at the end.
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

from rotator.core.errors import Reason
from rotator.core.model import Secret
from rotator.kubernetes.access import Access
from rotator.kubernetes.connection import RefusedError
from tests.fakes.kubernetes import ADMIN, FakeKubernetes
from tests.fakes.kubernetes_world import kubernetes_target
from tests.servers.kube_apiserver import ADMIN as REAL_ADMIN
from tests.servers.kube_apiserver import KubeApiserver
from tests.support import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

    from rotator.core.model import Policy
    from rotator.core.ports import Target
    from tests.contract.benches import Trouble

NAME = "docker-client-config"
POWERLESS = "s3cr3t-powerless-token"
GIVEN = os.environ.get("ROTATOR_TEST_KUBECONFIG")


class KubernetesBench:
    """An object in a namespace of its own; `secret_type` is None for a ConfigMap.

    Somebody else writes over a connection that no target uses.
    """

    secrets: tuple[Secret, ...] = (Secret(ADMIN), Secret(REAL_ADMIN), Secret(POWERLESS))

    def __init__(self, kubeconfig: Path, admin: Path, secret_type: str | None) -> None:
        self._secret_type = secret_type
        pull_secret = secret_type not in (None, "Opaque")
        self._key = ".dockerconfigjson" if pull_secret else "config.json"
        self._plural = "secrets" if secret_type else "configmaps"
        self._namespace = f"rotator-test-{uuid4().hex[:8]}"
        self._access = Access(kubeconfig, connect_seconds=1, read_seconds=5)
        self._somebody = Access(admin).open()
        self._versions: set[str] = set()

    def target(self, policy: Policy) -> Target:
        """Build the driver again."""
        return kubernetes_target(
            self._access, self._secret_type, self._namespace, policy, name=NAME
        )

    def raw(self) -> str | None:
        """Return what the key holds."""
        found = self._look()
        value = ((found or {}).get("data") or {}).get(self._key)
        if value is None or not self._secret_type:
            return value
        return base64.b64decode(value).decode()

    def put(self, text: str) -> None:
        """Replace the object by one that holds this text and no annotations."""
        value = base64.b64encode(text.encode()).decode() if self._secret_type else text
        body: dict[str, Any] = {"metadata": {"name": NAME}, "data": {self._key: value}}
        if self._secret_type:
            body["type"] = self._secret_type
        method, name = ("POST", "") if self._look() is None else ("PUT", f"/{NAME}")
        self._send(method, f"{self._path()}{name}", body)
        self._look()

    def writes(self) -> int:
        """Return how many versions of the object were found, when this or `put` read it."""
        self._look()
        return len(self._versions)

    def troubles(self) -> Mapping[str, Trouble]:
        """Return what can be brought about on any server."""
        return {
            "denied": (self._lose_login, Reason.LOGIN_REJECTED, False),
            "missing": (self._lose_namespace, Reason.NOT_FOUND, False),
            "unreachable": (self._lose_server, Reason.UNREACHABLE, True),
        }

    def open(self) -> None:
        """Make the namespace."""
        self._send("POST", "/api/v1/namespaces", {"metadata": {"name": self._namespace}})

    def close(self) -> None:
        """Delete the namespace, if it is still there."""
        self._lose_namespace()

    def _path(self) -> str:
        return f"/api/v1/namespaces/{self._namespace}/{self._plural}"

    def _send(self, method: str, path: str, body: object = None) -> dict[str, Any] | None:
        try:
            query = {} if method in ("GET", "DELETE") else {"fieldManager": "somebody"}
            return self._somebody.send(method, path, body, **query)
        except RefusedError as error:
            if error.status in (404, 409):
                return None
            raise AssertionError(f"{method} {path}: {error.status} {error.body}") from None

    def _look(self) -> dict[str, Any] | None:
        found = self._send("GET", f"{self._path()}/{NAME}")
        if found:
            self._versions.add(found["metadata"]["resourceVersion"])
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
        path = f"/api/v1/namespaces/{self._namespace}"
        self._send("DELETE", path)
        until(lambda: self._send("GET", path) is None, 60, f"{self._namespace} to go")

    def _lose_login(self) -> None:
        self._rewrite_kubeconfig(user={"token": "s3cr3t-revoked-token"})

    def _lose_server(self) -> None:
        self._rewrite_kubeconfig(server=f"http://127.0.0.1:{free_port()}")


class RealBench(KubernetesBench):
    """The same over the suite's own API server, which can be stopped for a while."""

    def __init__(self, server: KubeApiserver, kubeconfig: Path, secret_type: str | None) -> None:
        super().__init__(server.kubeconfig_for(kubeconfig), server.kubeconfig, secret_type)
        self._server = server
        self._slow = False

    def troubles(self) -> Mapping[str, Trouble]:
        """Return all that reading or writing can meet."""
        return {
            **super().troubles(),
            "forbidden": (self._lose_rights, Reason.FORBIDDEN, False),
            "slow": (self._lose_time, Reason.TIMEOUT, True),
        }

    def close(self) -> None:
        """Let the server answer again."""
        self._server.resume()
        super().close()

    def _look(self) -> dict[str, Any] | None:
        self._server.resume()
        found = super()._look()
        if self._slow:
            self._server.pause()
        return found

    def _lose_namespace(self) -> None:
        self._server.delete_namespace(self._namespace)

    def _lose_rights(self) -> None:
        path = f"/api/v1/namespaces/{self._namespace}/serviceaccounts"
        self._server.api("POST", path, {"metadata": {"name": "powerless"}})
        token = self._server.token(self._namespace, "powerless")
        self.secrets = (*self.secrets, Secret(token))
        self._rewrite_kubeconfig(user={"token": token})

    def _lose_time(self) -> None:
        self._access = replace(self._access, read_seconds=0.5)
        self._slow = True
        self._server.pause()


class FakeBench(KubernetesBench):
    """The same over the fake, which counts, and suffers what a test wants."""

    def __init__(self, fake: FakeKubernetes, kubeconfig: Path, secret_type: str | None) -> None:
        path = fake.kubeconfig(kubeconfig)
        super().__init__(path, path, secret_type)
        self._access = replace(self._access, read_seconds=0.5)
        self._fake = fake

    def writes(self) -> int:
        """Return how many writes the server was asked for."""
        return self._fake.writes()

    def troubles(self) -> Mapping[str, Trouble]:
        """Return all that reading or writing can meet."""
        return {
            **super().troubles(),
            "forbidden": (self._lose_rights, Reason.FORBIDDEN, False),
            "slow": (self._fake.hang, Reason.TIMEOUT, True),
        }

    def close(self) -> None:
        """Do nothing: it all goes with the fake."""

    def _look(self) -> Any:
        # Not over HTTP: this is to see something even while the server hangs.
        found = self._fake.objects.stored.get((self._plural, self._namespace, NAME))
        return found.shown() if found else None

    def _lose_namespace(self) -> None:
        self._fake.objects.remove_namespace(self._namespace)

    def _lose_rights(self) -> None:
        self._fake.allow(POWERLESS, "system:serviceaccount:ci:powerless", [], None)
        self._rewrite_kubeconfig(user={"token": POWERLESS})


@contextmanager
def fake_bench(directory: Path, secret_type: str | None) -> Iterator[KubernetesBench]:
    """Yield a bench over a fake of its own."""
    with FakeKubernetes() as fake:
        bench = FakeBench(fake, directory / "kubeconfig", secret_type)
        bench.open()
        yield bench


@contextmanager
def real_bench(
    request: pytest.FixtureRequest, directory: Path, secret_type: str | None
) -> Iterator[KubernetesBench]:
    """Yield a bench over a real server: the one that is given, else the suite's own."""
    copy = directory / "kubeconfig"
    bench: KubernetesBench
    if GIVEN:
        copy.write_text(Path(GIVEN).read_text())
        bench = KubernetesBench(copy, Path(GIVEN), secret_type)
    else:
        bench = RealBench(request.getfixturevalue("kube_apiserver"), copy, secret_type)
    bench.open()
    try:
        yield bench
    finally:
        bench.close()
