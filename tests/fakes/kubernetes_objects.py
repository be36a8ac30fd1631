"""The objects of the fake API server: stored, changed and owned field by field.

Follows apiserver/pkg/registry/generic/registry/store.go (versions are compared before anything is
validated) and apimachinery/pkg/util/managedfields in https://github.com/kubernetes/kubernetes.
"""

from __future__ import annotations

import copy
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.kubernetes_rules import (
    KINDS,
    Body,
    StatusError,
    invalid,
    terminating,
    undecodable,
    wrong,
    wrong_change,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)

Path = tuple[str, ...]


@dataclass
class Stored:
    """An object and who owns which of its fields."""

    body: Body
    owners: dict[tuple[str, str], set[Path]] = field(default_factory=dict)

    def shown(self) -> Body:
        """Return the object as it is shown, with `managedFields`."""
        body = copy.deepcopy(self.body)
        body["metadata"]["managedFields"] = [
            {
                "manager": manager,
                "operation": operation,
                "apiVersion": "v1",
                "fieldsType": "FieldsV1",
                "fieldsV1": _fields_v1(paths),
            }
            for (manager, operation), paths in sorted(self.owners.items())
            if paths
        ]
        return body


class Objects:
    """All objects, in namespaces; each change gets the next resource version."""

    def __init__(self) -> None:
        self.namespaces = {"default": "Active"}
        self.labels: dict[str, dict[str, str]] = {}
        """The labels of namespaces that have some."""
        self.stored: dict[Path, Stored] = {}
        self.version = 1000
        self.lock = threading.RLock()

    def get(self, plural: str, namespace: str, name: str) -> Body:
        """Return the object; 404 where it or its namespace is missing."""
        return self._find(plural, namespace, name).shown()

    def create(self, plural: str, namespace: str, body: Body, manager: str) -> Body:
        """Store a new object."""
        with self.lock:
            state = self.namespaces.get(namespace)
            name = str(body.get("metadata", {}).get("name", ""))
            if state is None:
                details = {"name": namespace, "kind": "namespaces"}
                raise StatusError(404, "NotFound", f'namespaces "{namespace}" not found', details)
            if state == "Terminating":
                raise terminating(plural, namespace, name)
            why = undecodable(plural, body)
            if why:
                kind = KINDS[plural]
                message = f'{kind} in version "v1" cannot be handled as a {kind}: {why}'
                raise StatusError(400, "BadRequest", message)
            if (plural, namespace, name) in self.stored:
                details = {"name": name, "kind": plural}
                raise StatusError(
                    409, "AlreadyExists", f'{plural} "{name}" already exists', details
                )
            new = copy.deepcopy(body)
            new.update(apiVersion="v1", kind=KINDS[plural])
            new["metadata"]["namespace"] = namespace
            new["metadata"].pop("managedFields", None)
            if plural == "secrets":
                new.setdefault("type", "Opaque")
            return self._store(plural, Stored({"metadata": {}}), new, (manager, "Update"))

    @contextmanager
    def dry_run(self, *, dry: bool) -> Iterator[None]:
        """Forget at the end of the block what was changed in it, where it is a dry run."""
        with self.lock:
            before, version = copy.deepcopy(self.stored) if dry else {}, self.version
            yield
            if dry:
                self.stored, self.version = before, version

    def in_namespaces(self, selector: str) -> list[Body]:
        """Return the namespaces whose labels fit."""
        wanted = dict(pair.split("=", 1) for pair in selector.split(",") if pair)
        return [
            self._namespace(name)
            for name in sorted(self.namespaces)
            if wanted.items() <= self.labels.get(name, {}).items()
        ]

    def _namespace(self, name: str) -> Body:
        state = self.namespaces[name]
        metadata: Body = {"name": name, "labels": self.labels.get(name, {})}
        if state == "Terminating":
            metadata["deletionTimestamp"] = "2026-11-23T10:00:00Z"
        return {"metadata": metadata, "status": {"phase": state}}

    def patch(self, plural: str, namespace: str, name: str, patch: Body, manager: str) -> Body:
        """Merge a JSON merge patch (RFC 7396) into the object."""
        with self.lock:
            old = self._find(plural, namespace, name)
            new = _merged(old.body, patch)
            why = undecodable(plural, new)
            if why:
                # The server quotes the whole object here, secrets included.
                message = f"Invalid value: {json.dumps(json.dumps(new))}: {why}"
                raise invalid("", "", [("FieldValueInvalid", message, "patch")])
            return self._store(plural, old, new, (manager, "Update"))

    def replace(self, plural: str, namespace: str, name: str, body: Body, manager: str) -> Body:
        """Put a whole object in the place of the old one."""
        with self.lock:
            old = self._find(plural, namespace, name)
            new = copy.deepcopy(body)
            new.update(apiVersion="v1", kind=KINDS[plural])
            new.setdefault("metadata", {})["namespace"] = namespace
            new["metadata"].pop("managedFields", None)
            new["metadata"].setdefault("uid", old.body["metadata"]["uid"])
            return self._store(plural, old, new, (manager, "Update"))

    def apply(
        self, plural: str, namespace: str, name: str, body: Body, manager: str, *, force: bool
    ) -> Body:
        """Apply on the server's side: take ownership, drop what this manager applied before."""
        with self.lock:
            if (plural, namespace, name) not in self.stored:
                return self.create(plural, namespace, body, manager)
            old = self._find(plural, namespace, name)
            wanted = _leaves(body)
            taken = {
                path: who
                for who, paths in old.owners.items()
                for path in paths & wanted.keys()
                if who[0] != manager and _leaves(old.body)[path] != wanted[path]
            }
            if taken and not force:
                message = f"Apply failed with {len(taken)} conflict(s)"
                causes = [
                    {"reason": "FieldManagerConflict", "field": "." + ".".join(path)}
                    for path in taken
                ]
                raise StatusError(409, "Conflict", message, {"causes": causes})
            mine = old.owners.get((manager, "Apply"), set())
            others = set().union(*(p for w, p in old.owners.items() if w != (manager, "Apply")))
            new = _merged(old.body, body)
            for path in mine - wanted.keys() - others:
                new = _merged(new, _nested(path, None))
            shown = self._store(plural, old, new, (manager, "Apply"))
            old.owners[manager, "Apply"] = set(wanted)
            return shown

    def delete(self, plural: str, namespace: str, name: str) -> None:
        """Remove the object."""
        with self.lock:
            self._find(plural, namespace, name)
            del self.stored[plural, namespace, name]

    def remove_namespace(self, name: str) -> None:
        """Remove a namespace and what is in it."""
        with self.lock:
            self.namespaces.pop(name, None)
            for key in [key for key in self.stored if key[1] == name]:
                del self.stored[key]

    def _find(self, plural: str, namespace: str, name: str) -> Stored:
        found = self.stored.get((plural, namespace, name))
        if found is None:
            details = {"name": name, "kind": plural}
            raise StatusError(404, "NotFound", f'{plural} "{name}" not found', details)
        return found

    def _store(self, plural: str, old: Stored, new: Body, who: tuple[str, str]) -> Body:
        before, metadata = old.body["metadata"], new["metadata"]
        name = str(metadata.get("name", ""))
        asked = metadata.get("resourceVersion") or before.get("resourceVersion")
        if asked != before.get("resourceVersion"):
            message = f'Operation cannot be fulfilled on {plural} "{name}": {_MODIFIED}'
            raise StatusError(409, "Conflict", message, {"name": name, "kind": plural})
        causes = wrong(plural, new) + (wrong_change(plural, old.body, new) if before else [])
        if causes:
            raise invalid(plural, name, causes)
        was, now = _leaves(old.body), _leaves(new)
        changed = {path for path in was.keys() | now.keys() if was.get(path) != now.get(path)}
        if changed:
            for paths in old.owners.values():
                paths.difference_update(changed)
            old.owners.setdefault(who, set()).update(changed & now.keys())
            self.version += 1
            metadata["resourceVersion"] = str(self.version)
            metadata.setdefault("uid", f"00000000-0000-4000-8000-{self.version:012d}")
            old.body = new
            self.stored[plural, metadata["namespace"], name] = old
        return old.shown()


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result


def _nested(path: Path, value: Any) -> Any:
    return {path[0]: _nested(path[1:], value)} if path else value


def _leaves(body: Body) -> dict[Path, Any]:
    metadata = body.get("metadata", {})
    found: dict[Path, Any] = {}
    for name in ("labels", "annotations"):
        found |= {("metadata", name, k): v for k, v in (metadata.get(name) or {}).items()}
    for name in ("data", "binaryData"):
        found |= {(name, k): v for k, v in (body.get(name) or {}).items()}
    whole = ("type", "immutable", "imagePullSecrets")
    return found | {(name,): body[name] for name in whole if name in body}


def _fields_v1(paths: set[Path]) -> Body:
    tree: Body = {}
    for path in sorted(paths):
        branch = tree
        for name in path:
            branch = branch.setdefault(f"f:{name}", {})
    return tree
