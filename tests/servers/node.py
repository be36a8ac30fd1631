"""What a controller manager and a kubelet do for the Jobs and Deployments of a few namespaces.

The pods' containers run here, one after the other: each with its own command, on what its volumes
hold, as its service account, in a mount namespace of its own. So it takes root.
"""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.e2e.site import PROGRAM
from tests.servers.kube_apiserver import MERGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.servers.kube_apiserver import KubeApiserver

Body = dict[str, Any]

_ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
_MOUNTS = f"""
set -e
mount --types tmpfs tmpfs /run
mkdir --parents {_ACCOUNT} /tmp/rotator /run/rotator
mount --bind account {_ACCOUNT}
mount --bind config /run/rotator
mount --types tmpfs tmpfs /tmp/rotator
exec "$@"
"""


class Node:
    """Runs what is made on a server. `environment`: what the cluster puts into each container.

    `ran`: the arguments of each container that ran, and what came of it.
    """

    def __init__(self, server: KubeApiserver, place: Path, environment: Mapping[str, str]) -> None:
        self._server = server
        self._place = place
        self._environment = environment
        self.ran: list[tuple[list[str], subprocess.CompletedProcess[str]]] = []

    def run(self, namespace: str, template: Body) -> subprocess.CompletedProcess[str]:
        """Run a pod's only container to its end."""
        pod = template["spec"]
        (container,) = pod["containers"]
        assert container["command"] == ["rotator"]
        place = self._place / f"pod-{len(self.ran)}"
        self._mount(namespace, pod, place)
        url = urlsplit(self._server.url)
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", _MOUNTS, "sh", PROGRAM, *container["args"]],
            cwd=place,
            env={
                "PATH": os.environ["PATH"],
                "ROTATOR_CONFIG": "/run/rotator/rotator.yaml",
                "KUBERNETES_SERVICE_HOST": str(url.hostname),
                "KUBERNETES_SERVICE_PORT": str(url.port),
                **self._environment,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.ran.append((container["args"], done))
        return done

    @contextmanager
    def running(self, *namespaces: str) -> Iterator[None]:
        """Run each Job that is made in these namespaces, and say that Deployments are up."""
        ending = threading.Event()

        def work() -> None:
            while not ending.wait(0.1):
                for namespace in namespaces:
                    self._jobs(f"/apis/batch/v1/namespaces/{namespace}/jobs", namespace)
                    self._deployments(f"/apis/apps/v1/namespaces/{namespace}/deployments")

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()

    def _mount(self, namespace: str, pod: Body, place: Path) -> None:
        (config,) = [one["configMap"]["name"] for one in pod["volumes"] if "configMap" in one]
        path = f"/api/v1/namespaces/{namespace}/configmaps/{config}"
        token = self._server.token(namespace, pod["serviceAccountName"])
        files = {
            "config/rotator.yaml": self._server.api("GET", path)["data"]["rotator.yaml"],
            "account/token": token,
            "account/ca.crt": self._server.pki.ca.read_text(),
        }
        for name, text in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)

    def _jobs(self, path: str, namespace: str) -> None:
        for job in self._server.api("GET", path)["items"]:
            if job.get("status", {}).get("conditions") or job["metadata"].get("deletionTimestamp"):
                continue
            began = _now()
            done = self.run(namespace, job["spec"]["template"])
            ended = {"lastTransitionTime": _now(), "lastProbeTime": _now(), "status": "True"}
            good = ("SuccessCriteriaMet", "Complete")
            kinds = good if done.returncode == 0 else ("FailureTarget", "Failed")
            status = {
                "startTime": began,
                "conditions": [{"type": kind, "reason": "Ended", **ended} for kind in kinds],
                **(
                    {"succeeded": 1, "completionTime": _now()}
                    if done.returncode == 0
                    else {"failed": 1}
                ),
            }
            name = job["metadata"]["name"]
            self._server.api("PATCH", f"{path}/{name}/status", {"status": status}, kind=MERGE)

    def _deployments(self, path: str) -> None:
        for one in self._server.api("GET", path)["items"]:
            metadata = one["metadata"]
            if one.get("status", {}).get("observedGeneration") == metadata["generation"]:
                continue
            counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
            status = {
                "observedGeneration": metadata["generation"],
                **dict.fromkeys(counts, one["spec"]["replicas"]),
                "conditions": [
                    {"type": kind, "status": "True", "reason": reason, "lastUpdateTime": _now()}
                    for kind, reason in (
                        ("Available", "MinimumReplicasAvailable"),
                        ("Progressing", "NewReplicaSetAvailable"),
                    )
                ],
            }
            name = metadata["name"]
            self._server.api("PATCH", f"{path}/{name}/status", {"status": status}, kind=MERGE)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
