"""The least that a target's account has to be allowed, as the rules of a Role or a ClusterRole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def manifest(kind: str, namespace: str, found: Sequence[Rule]) -> str:
    """Return a Role or a ClusterRole on one line, as `kubectl apply -f -` takes it."""
    metadata = {"name": "rotator", **({"namespace": namespace} if kind == "Role" else {})}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        "rules": list(found),
    }
    return json.dumps(role, separators=(",", ":"))
