"""A namespace of its own on the real API server, and targets in it, for one test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from rotator.core.errors import DriverError
from rotator.kubernetes.access import Access
from tests.fakes.kubernetes_world import MARK, TEXT, error_of_write, kubernetes_target
from tests.support import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rotator.targets.kubernetes import KubernetesTarget
    from tests.servers.kube_apiserver import KubeApiserver

ADMISSION = "admissionregistration.k8s.io/v1"


class Cluster:
    """The server, a namespace that exists, and what was made beside it, which goes at the end."""

    def __init__(self, server: KubeApiserver, place: Path) -> None:
        self.server, self.place = server, place
        self.access = Access(server.kubeconfig)
        self.unique = uuid4().hex[:8]
        self.namespace = self.make_namespace("main")
        self._made: list[str] = []

    def make_namespace(self, name: str, **labels: str) -> str:
        """Make a namespace, and return its whole name."""
        whole = f"{name}-{self.unique}"
        self.server.create_namespace(whole, test=self.unique, **labels)
        return whole

    def target(self, kind: str = "configmap", **more: Any) -> KubernetesTarget:
        """Return a target for the object `docker`."""
        secret_type = more.pop("secret_type", "Opaque" if kind == "secret" else None)
        where, access = more.pop("namespace", self.namespace), more.pop("access", self.access)
        return kubernetes_target(access, secret_type, where, **more)

    def path(self, plural: str, name: str = "") -> str:
        """Return the path of an object in the namespace."""
        return f"/api/v1/namespaces/{self.namespace}/{plural}{'/' if name else ''}{name}"

    def put(self, plural: str = "configmaps", name: str = "docker", **content: Any) -> None:
        """Let a person make an object."""
        metadata = {"name": name, **content.pop("metadata", {})}
        self.server.api("POST", self.path(plural), {"metadata": metadata, **content})

    def look(self, plural: str = "configmaps", name: str = "docker") -> dict[str, Any]:
        """Return an object."""
        return self.server.api("GET", self.path(plural, name))

    def account(self, *rules: Mapping[str, Any], everywhere: bool = False) -> Access:
        """Return the way in as a service account with these rules and no other rights."""
        name = f"account-{uuid4().hex[:8]}"
        kinds = ("ClusterRole", "ClusterRoleBinding") if everywhere else ("Role", "RoleBinding")
        metadata = {"name": name, **({} if everywhere else {"namespace": self.namespace})}
        self.put("serviceaccounts", name)
        group = "rbac.authorization.k8s.io"
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self.namespace}
        common = {"apiVersion": f"{group}/v1", "metadata": metadata}
        self.server.apply(
            {**common, "kind": kinds[0], "rules": list(rules)},
            {
                **common,
                "kind": kinds[1],
                "roleRef": {"apiGroup": group, "kind": kinds[0], "name": name},
                "subjects": [subject],
            },
        )
        token = self.server.token(self.namespace, name)
        return Access(self.server.kubeconfig_for(self.place / f"{name}.kubeconfig", token))

    def quota(self, what: str) -> None:
        """Let a quota be used up."""
        full = {"hard": {what: "1"}, "used": {what: "1"}}
        self.put("resourcequotas", "few", spec={"hard": {what: "1"}})
        path = f"{self.path('resourcequotas', 'few')}/status"
        self.server.api("PATCH", path, {"status": full}, kind="application/merge-patch+json")

    def policy(self, kind: str, of: str = "configmaps", **spec: Any) -> None:
        """Make an admission policy for objects of this namespace; it holds some seconds later."""
        name = f"policy-{self.unique}-{len(self._made)}"
        rules = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": [of],
        }
        here = {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}
        constraints = {"resourceRules": [rules], "namespaceSelector": here}
        plural = "mutatingadmissionpolicies" if "Mut" in kind else "validatingadmissionpolicies"
        self._admit(plural, name, {"matchConstraints": constraints, **spec})
        actions = {} if "Mut" in kind else {"validationActions": ["Deny"]}
        bindings = plural.replace("policies", "policybindings")
        self._admit(bindings, name, {"policyName": name, **actions})

    def webhook(self, url: str, **more: Any) -> str:
        """Have the server ask a webhook before each change of a ConfigMap in this namespace."""
        name = f"hook-{self.unique}.example.com"
        rules = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["*"],
            "resources": ["configmaps"],
        }
        hook = {
            "name": name,
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": url},
            "rules": [rules],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}},
            **more,
        }
        path = f"/apis/{ADMISSION}/validatingwebhookconfigurations"
        self.server.api("POST", path, {"metadata": {"name": name}, "webhooks": [hook]})
        self._made.append(f"{path}/{name}")
        return name

    def until_refused(self, target: KubernetesTarget, part: str) -> DriverError:
        """Return the error of a write as soon as the server has taken up what was made for it."""
        found: list[DriverError] = []

        def refused() -> bool:
            try:
                target.probe_write(TEXT, MARK, target.read())
            except DriverError as error:
                found.append(error)
            return bool(found) and part in found[-1].detail

        until(refused, 30, f"a refusal with {part!r}: {found}")
        return error_of_write(target)

    def close(self) -> None:
        """Remove everything."""
        for path in self._made:
            self.server.answer("DELETE", path)
        label = f"labelSelector=test%3D{self.unique}"
        for one in self.server.api("GET", f"/api/v1/namespaces?{label}")["items"]:
            self.server.delete_namespace(one["metadata"]["name"])

    def _admit(self, plural: str, name: str, spec: Mapping[str, Any]) -> None:
        path = f"/apis/{ADMISSION}/{plural}"
        self.server.api("POST", path, {"metadata": {"name": name}, "spec": spec})
        self._made.append(f"{path}/{name}")


def only(*verbs: str) -> list[dict[str, Any]]:
    """Return the rules of a Role that may do this with ConfigMaps, and nothing else."""
    return [{"apiGroups": [""], "resources": ["configmaps"], "verbs": list(verbs)}]


@pytest.fixture
def cluster(kube_apiserver: KubeApiserver, tmp_path: Path) -> Iterator[Cluster]:
    """Give a test a namespace of its own on the real API server."""
    made = Cluster(kube_apiserver, tmp_path)
    try:
        yield made
    finally:
        made.close()
