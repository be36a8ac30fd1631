"""Who else writes an object: its field managers, and what makes them leave a key alone.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rotator.http.server_text import shown
from rotator.kubernetes.objects import FIELD_MANAGER

if TYPE_CHECKING:
    from rotator.kubernetes.place import Place


def owner(entries: Any, key: str) -> str | None:
    """Return the manager that wrote a key of `data` last; None where that is rotator or nobody.

    Where nobody has the key, somebody has taken it out: then that is who else wrote last.
    """
    found = [
        (str(one.get("time") or ""), str(one.get("manager") or ""), _has(one, key))
        for one in (entries if isinstance(entries, list) else ())
        if isinstance(one, dict)
    ]
    if any(name == FIELD_MANAGER and has for _, name, has in found):
        return None
    others = [one for one in found if one[1] != FIELD_MANAGER]
    having = [one for one in others if one[2]] or others
    return shown(max(having)[1], ())[:128] or None if having else None


def _has(entry: dict[str, Any], key: str) -> bool:
    fields = entry.get("fieldsV1")
    data = fields.get("f:data") if isinstance(fields, dict) else None
    return isinstance(data, dict) and f"f:{key}" in data


def advice(manager: str, place: Place) -> str:
    """Return what makes a manager leave a place's key alone."""
    name = manager.lower()
    kind = "Secret" if place.kind == "secret" else "ConfigMap"
    pointer = place.key.replace("~", "~0").replace("/", "~1")
    if "argocd" in name:
        return (
            "in the Argo CD Application: spec.ignoreDifferences: [{kind: "
            f"{kind}, namespace: {place.namespace}, name: {place.object_name}, jsonPointers: "
            f"[/data/{pointer}]}}], and spec.syncPolicy.syncOptions: "
            "[RespectIgnoreDifferences=true]"
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
            f"{place.kubectl('annotate KIND NAME helm.sh/resource-policy=keep')}"
        )
    return (
        f"find what writes as `{manager}` and let it leave `data.{place.key}` alone; it is in: "
        f"{place.kubectl('get KIND NAME -o yaml --show-managed-fields')}"
    )
