"""One key of one object, and the `kubectl` lines and rules of a Role that are about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rotator.kubernetes.access import Access

# Bytes that all values, and all annotations, of one object may have together.
# https://kubernetes.io/docs/concepts/configuration/configmap/#motivation
LARGEST, LARGEST_ANNOTATIONS = 1024 * 1024, 256 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """One key of one object, and how its cluster is reached; a namespace has no `namespace`."""

    kind: str
    namespace: str
    object_name: str
    key: str
    access: Access

    def __str__(self) -> str:
        """Return the object's full name."""
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.object_name}"

    @property
    def plural(self) -> str:
        """The kind as it stands in a path and in a Role."""
        return f"{self.kind}s"

    def kubectl(self, command: str) -> str:
        """Return a command line for this namespace, where KIND and NAME stand for the object."""
        command = command.replace("KIND", self.kind).replace("NAME", self.object_name)
        where = f"-n {self.namespace} " if self.namespace else ""
        return self.access.kubectl(where + command)

    def show(self) -> str:
        """Return the command line that shows the object, of a Secret the keys and sizes alone."""
        return self.kubectl("describe KIND NAME --show-events=false")

    def rule(self, verb: str) -> str:
        """Return what a Role has to have so that this verb is allowed."""
        # A create or list names nothing when it is judged, so no rule can restrict it to a name.
        named = f' resourceNames: ["{self.object_name}"],' if verb in ("get", "patch") else ""
        role = f"its Role in namespace {self.namespace}" if self.namespace else "its ClusterRole"
        return (
            f'add to {role}: {{apiGroups: [""], resources: ["{self.plural}"],{named}'
            f' verbs: ["{verb}"]}}'
        )

    def may_i(self, verb: str) -> str:
        """Return the command line with which the account itself sees whether it is allowed."""
        named = f"{self.plural}/{self.object_name}" if verb in ("get", "patch") else self.plural
        return self.kubectl(f"auth can-i {verb} {named}")

    def replace_it(self) -> str:
        """Return what to do about an immutable object, so that no other key of it is lost."""
        copy, replace = self.kubectl("get KIND NAME -o yaml"), self.kubectl("replace --force -f -")
        return (
            "replace it by a copy without the line `immutable: true`, as an account that may "
            f"delete it: {copy} | sed '/^immutable: true$/d' | {replace}"
        )

    def keep_type(self) -> str:
        """Return what to do about a Secret of another type."""
        return (
            "write the type of the Secret that is there as the target's `secret_type`, with "
            f"`key: {self.key}`, and nothing in it is lost; or use another `name`; what is there: "
            f"{self.show()}"
        )

    def manager_advice(self, manager: str) -> str:
        """Return what makes another manager leave the key alone."""
        name = manager.lower()
        kind = "Secret" if self.kind == "secret" else "ConfigMap"
        if "argocd" in name:
            pointer = self.key.replace("~", "~0").replace("/", "~1")
            return (
                f"in the Argo CD Application: spec.ignoreDifferences: [{{kind: {kind}, namespace: "
                f"{self.namespace}, name: {self.object_name}, jsonPointers: [/data/{pointer}]}}], "
                "and spec.syncPolicy.syncOptions: [RespectIgnoreDifferences=true]"
            )
        if name.startswith("kustomize-controller"):
            return (
                f"in Git, on this {kind}: metadata.annotations: "
                "{kustomize.toolkit.fluxcd.io/ssa: IfNotPresent}, so that Flux creates it and then "
                "leaves it alone"
            )
        if name.startswith("helm"):
            return (
                f"take this {kind} out of the chart; first, so that Helm does not delete it: "
                f"{self.kubectl('annotate KIND NAME helm.sh/resource-policy=keep')}"
            )
        return (
            f"find what writes as `{manager}` and let it leave `data.{self.key}` alone; it is in: "
            f"{self.kubectl('get KIND NAME -o yaml --show-managed-fields')}"
        )


Rule = dict[str, Any]


def rules(
    plural: str, name: str, service_accounts: Sequence[str] = (), *, lists: bool = False
) -> list[Rule]:
    """Return the rules for an object of this name; `lists`: namespaces have to be listed."""
    found = [
        _rule(plural, ["get", "patch"], [name]),
        # A create names nothing when it is judged, so no rule can restrict it to a name.
        _rule(plural, ["create"]),
    ]
    if service_accounts:
        found.append(_rule("serviceaccounts", ["get", "patch"], list(service_accounts)))
    if lists:
        found.append(_rule("namespaces", ["list"]))
    return found


def _rule(resource: str, verbs: list[str], names: list[str] | None = None) -> Rule:
    named = {"resourceNames": names} if names else {}
    return {"apiGroups": [""], "resources": [resource], **named, "verbs": verbs}


def cluster_role(found: Sequence[Rule]) -> str:
    """Return a ClusterRole with these rules on one line, as `kubectl apply -f -` takes it."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "rotator"},
        "rules": found,
    }
    return json.dumps(role, separators=(",", ":"))
