"""The servers that both sides of a comparison talk to, and the configurations for `rotator`.

OpenBao is real; ECR, GitLab and Kubernetes are the test suite's stand-ins. They run in this
process, so what they cost is in nobody's CPU time, and in both sides' wall time alike.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
import yaml

from tests.fakes.certificates import Pki
from tests.fakes.ecr import ACCESS_KEY, SECRET_KEY, FakeEcr
from tests.fakes.gitlab import FakeGitlab
from tests.fakes.gitlab_access import OWNER
from tests.fakes.kubernetes import MERGE, FakeKubernetes
from tests.fakes.registry import BasicRegistry
from tests.servers.openbao import OpenBao

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.kubernetes import _Handler

PASSWORD = "s3cr3t-harbor-password"
GROUP, VARIABLE = "platform", "DOCKER_AUTH_CONFIG"
# The script's own: rotator would put right what somebody else writes into its variable.
SCRIPTS = "SCRIPT_AUTH_CONFIG"
_DISCOVERY: dict[str, dict[str, Any]] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {
                "name": "configmaps",
                "singularName": "configmap",
                "namespaced": True,
                "kind": "ConfigMap",
                "verbs": ["create", "get", "patch"],
            }
        ],
    },
}


class Cluster(FakeKubernetes):
    """A cluster that kubectl can talk to as well: it discovers first, and has its own patches."""

    def answer(self, request: _Handler) -> tuple[int, dict[str, Any]]:
        """Return status and body for a request."""
        if request.path.partition("?")[0] in _DISCOVERY:
            return 200, _DISCOVERY[request.path.partition("?")[0]]
        if "strategic" in request.headers.get("Content-Type", ""):
            # The same as a merge for an object without lists.
            request.headers.replace_header("Content-Type", MERGE)
        return super().answer(request)


@dataclass
class Site:
    """Everything that runs, below the directory `place`."""

    place: Path
    ecr: FakeEcr
    gitlab: FakeGitlab
    cluster: Cluster
    bao: OpenBao
    registry: BasicRegistry

    def __post_init__(self) -> None:
        """Put a secret into Vault, make a group, and write what logs in to where rotator looks."""
        self.gitlab.add_group(GROUP)
        self.cluster.objects.namespaces["ci"] = "Active"
        trust = {"certificate-authority": str(self.place / "ca.crt")}
        self.cluster.kubeconfig(self.kubeconfig, cluster=trust)
        self.bao.put("secret/data/harbor", {"username": "robot", "password": PASSWORD})
        policy = self.bao.policy('path "secret/data/harbor" { capabilities = ["read"] }')
        self.write("vault-token", self.bao.token(policy))
        self.gitlab_token = self.gitlab.add_token({GROUP: OWNER}).text
        self.write("gitlab-token", self.gitlab_token)
        (self.place / "docker").mkdir(mode=0o700)
        # The script updates its variable, so it has to be there.
        requests.post(
            f"{self.gitlab.url}/api/v4/groups/{GROUP}/variables",
            headers={"PRIVATE-TOKEN": self.gitlab_token},
            json={"key": SCRIPTS, "value": "nothing-yet", "raw": True},
            timeout=10,
        ).raise_for_status()

    @property
    def kubeconfig(self) -> Path:
        """The file that tells where the cluster is."""
        return self.place / "kubeconfig"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of both sides."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.place),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
            "KUBECONFIG": str(self.kubeconfig),
        }

    @property
    def ecr_source(self) -> dict[str, Any]:
        """The settings of the source `ecr`."""
        return {"type": "ecr", "region": "eu-west-1", "endpoint_url": self.ecr.url}

    @property
    def vault_source(self) -> dict[str, Any]:
        """The settings of the source `vault`."""
        return {
            "type": "vault",
            "address": self.bao.url,
            "auth": {"method": "token", "token_file": str(self.place / "vault-token")},
            "path": "secret/harbor",
            "engine": "kv2",
            "registry": self.registry.host,
        }

    @property
    def configmap(self) -> dict[str, Any]:
        """The settings of a ConfigMap target."""
        return {
            "type": "kubernetes_configmap",
            "namespace": "ci",
            "name": "rotator",
            "kubeconfig": str(self.kubeconfig),
        }

    def variable(self, key: str = VARIABLE) -> dict[str, Any]:
        """Return the settings of a variable target."""
        return {
            "type": "gitlab_variable",
            "url": self.gitlab.url,
            "group": GROUP,
            "key": key,
            "token_file": str(self.place / "gitlab-token"),
        }

    def file(self, name: str) -> dict[str, Any]:
        """Return the settings of a file target."""
        return {"type": "file", "path": str(self.place / "docker" / f"{name}.json")}

    def rotation(self, kind: str, **more: Any) -> dict[str, Any]:
        """Return one of the rotations that are measured: `vault`, `ecr` or `three`."""
        source = self.vault_source if kind == "vault" else self.ecr_source
        targets = [self.file(kind)]
        if kind == "three":
            targets += [self.configmap, self.variable()]
        return {"name": kind, "sources": [source], "targets": targets, **more}

    def configuration(self, name: str, *rotations: dict[str, Any], **more: Any) -> Path:
        """Write a configuration with these rotations and a state directory of its own."""
        document = {
            "version": 1,
            "state_dir": str(self.place / f"state-{name}"),
            "rotations": rotations,
            **more,
        }
        return self.write(f"{name}.yaml", yaml.safe_dump(document))

    def write(self, name: str, text: str) -> Path:
        """Write a file that only its owner may read."""
        path = self.place / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def calls(self) -> dict[str, int]:
        """Return how many requests each stand-in has had: API calls, then proofs."""
        return {
            "ecr": self.ecr.calls,
            "proof": self.ecr.proofs,
            "configmap": len(self.cluster.calls),
            "variable": len(self.gitlab.calls),
        }

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Let each request to the stand-ins take this much longer."""
        servers: list[Any] = [self.ecr._server, self.gitlab._server, self.cluster._server]
        for server in servers:
            server.latency = seconds
        yield
        for server in servers:
            server.latency = 0.0


def _delayable(server: Any) -> None:
    """Let a server have a latency, which counts on connections that are open already, too."""
    usual: Any = server.RequestHandlerClass

    class Delayable(usual):  # type: ignore[misc]
        disable_nagle_algorithm = True  # answers don't wait for the client's confirmation

        def parse_request(self) -> bool:
            understood: bool = super().parse_request()
            time.sleep(self.server.latency)
            return understood

    server.latency = 0.0
    server.RequestHandlerClass = Delayable


@contextmanager
def site(place: Path) -> Iterator[Site]:
    """Start everything in a directory that is empty."""
    with ExitStack() as stack:
        # Over TLS, because kubectl sends no token without it.
        cluster = stack.enter_context(Cluster(Pki(place).context()))
        ecr = stack.enter_context(FakeEcr())
        gitlab = stack.enter_context(FakeGitlab())
        for server in (cluster._server, ecr._server, gitlab._server):
            _delayable(server)
        yield Site(
            place,
            ecr,
            gitlab,
            cluster,
            stack.enter_context(OpenBao(place / "openbao")),
            stack.enter_context(BasicRegistry({"robot": PASSWORD})),
        )


def main() -> None:
    """Serve until a signal comes, for trying commands by hand; the first line says where."""
    place = Path(sys.argv[1])
    place.mkdir(mode=0o700, parents=True)
    with site(place) as here:
        for name in ("vault", "ecr", "three"):
            here.configuration(name, here.rotation(name))
        print(json.dumps(here.environment), flush=True)  # noqa: T201  for who started it
        threading.Event().wait()


if __name__ == "__main__":
    main()
