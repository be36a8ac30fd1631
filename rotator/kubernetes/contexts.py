"""Reads kubeconfigs as kubectl does: several files are merged, one context of them is chosen.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from msgspec import Struct

from rotator.kubernetes.kubeconfig import Cluster, KubeconfigError, check, cluster, text
from rotator.kubernetes.users import User, user

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LISTS = {"clusters": "cluster", "users": "user", "contexts": "context"}


class Selected(Struct, frozen=True):
    """The cluster and the user of one context."""

    cluster: Cluster
    user: User = User()

    def files(self) -> list[Path]:
        """Return the files that it names."""
        named = (self.cluster.authority, self.user.token_file, self.user.certificate, self.user.key)
        return [path for path in named if isinstance(path, Path)]


def load(paths: Sequence[Path], context: str | None, *, must_exist: bool) -> Selected:
    """Return what a context says, the current one without `context`.

    The first file that sets a name or the current context wins. `must_exist`: a missing file is an
    error; else it is passed over, as kubectl does with those of $KUBECONFIG. Raises
    `KubeconfigError`, and `OSError` for a file that is unreadable.
    """
    sections: dict[str, dict[str, tuple[Mapping[str, Any], Path]]] = {key: {} for key in _LISTS}
    current = ""
    for path in paths:
        try:
            document = _document(path)
        except FileNotFoundError:
            if must_exist:
                raise
            continue
        current = current or text(document, "current-context")
        for key, kind in _LISTS.items():
            for name, body in _named(document, key, kind, path).items():
                sections[key].setdefault(name, (body, path.parent))
    name = context or current
    if not name:
        raise KubeconfigError("it has no `current-context`, and no `context` is configured")
    chosen = _section(sections, "contexts", name)[0]
    check(chosen, "context")
    where = cluster(*_section(sections, "clusters", text(chosen, "cluster")))
    who = text(chosen, "user")
    return Selected(where, user(*_section(sections, "users", who)) if who else User())


def _document(path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError):
        # The exception's own text can repeat a line of the file, and with it a token.
        raise KubeconfigError(f"{path} is not YAML") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise KubeconfigError(f"{path} is no kubeconfig: a mapping is wanted")
    return document


def _named(
    document: Mapping[str, Any], key: str, kind: str, path: Path
) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    entries = document.get(key) or []
    if not isinstance(entries, list):
        raise KubeconfigError(f"`{key}` in {path} is no list")
    for entry in entries:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not isinstance(entry.get(kind) or {}, dict):
            raise KubeconfigError(f"an entry of `{key}` in {path} has no `name` or no `{kind}`")
        if name in found:
            raise KubeconfigError(f"`{key}` in {path} has the name {name!r} twice")
        found[name] = entry.get(kind) or {}
    return found


def _section(
    sections: Mapping[str, Mapping[str, tuple[Mapping[str, Any], Path]]], key: str, name: str
) -> tuple[Mapping[str, Any], Path]:
    if name not in sections[key]:
        raise KubeconfigError(f"there is no {name!r} in its `{key}`")
    return sections[key][name]
