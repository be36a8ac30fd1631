"""Reads kubeconfigs: files are merged, and each field has to be one that is known.

A field that can't be honoured is refused by its name, and so is one that no kubeconfig has: a login
or a proxy that is ignored in silence would let rotator write as somebody else.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import yaml

from rotator.core.errors import Reason
from rotator.http.reading import base64_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TEXT, FLAG, DATA, TEXTS, MAP, ANY = "a text", "true or false", "base64", "texts", "a mapping", ""

_LISTS = {"clusters": "cluster", "users": "user", "contexts": "context"}

# fmt: off
FIELDS: Mapping[str, Mapping[str, str]] = {
    "cluster": {
        "server": TEXT, "tls-server-name": TEXT, "insecure-skip-tls-verify": FLAG,
        "certificate-authority": TEXT, "certificate-authority-data": DATA, "proxy-url": TEXT,
        "disable-compression": FLAG,  # answers are always asked for without compression
        "extensions": ANY,  # for tools; the one for login plugins is given to them
    },
    "user": {
        "client-certificate": TEXT, "client-certificate-data": DATA,
        "client-key": TEXT, "client-key-data": DATA,
        "token": TEXT, "tokenFile": TEXT, "username": TEXT, "password": TEXT,
        "as": TEXT, "as-uid": TEXT, "as-groups": TEXTS, "as-user-extra": MAP,
        "auth-provider": ANY,  # refused: Kubernetes took these out in 1.26
        "exec": MAP, "extensions": ANY,
    },
    "exec": {
        "apiVersion": TEXT, "command": TEXT, "args": TEXTS, "env": ANY, "installHint": TEXT,
        "provideClusterInfo": FLAG,
        "interactiveMode": TEXT,  # `Always` is refused: there is nobody to ask
    },
    "context": {
        "cluster": TEXT, "user": TEXT, "extensions": ANY,
        "namespace": TEXT,  # a target names its own
    },
}
# fmt: on


class KubeconfigError(Exception):
    """A kubeconfig is of no use. The text says why and repeats no value that may be a secret."""

    def __init__(self, why: str, reason: Reason = Reason.MALFORMED) -> None:
        super().__init__(why)
        self.reason = reason


class Section:
    """The fields of a cluster, a user, an exec or a context; relative paths are below `folder`.

    Raises `KubeconfigError` for a field that is not in the reference, or holds something else than
    it should.
    """

    def __init__(self, kind: str, body: Mapping[str, Any], folder: Path) -> None:
        known = FIELDS[kind]
        for name, value in body.items():
            if name not in known:
                meant = get_close_matches(str(name), known, 1)
                raise KubeconfigError(
                    f"the field `{name}` of its {kind} is none that a kubeconfig has"
                    f"{f'; did you mean `{meant[0]}`?' if meant else ''}"
                )
            if value is not None and not fits(value, known[name]):
                raise KubeconfigError(f"the field `{name}` of its {kind} wants {known[name]}")
        self.get = body.get
        self.folder = folder

    def text(self, name: str) -> str:
        """Return the text of a field, empty where it is left out."""
        return self.get(name) or ""

    def path(self, name: str) -> Path | None:
        """Return the path in a field."""
        return self.folder / self.text(name) if self.get(name) else None

    def data(self, name: str) -> bytes | None:
        """Return what a field holds in base64; None where it is left out or empty."""
        return base64_in(self.text(name)) or None


def sections(paths: Sequence[Path], context: str | None) -> tuple[Section, Section | None]:
    """Return the cluster and the user of a context, the current one without `context`.

    As kubectl does, the first file that sets a name or the current context wins, and a missing file
    is passed over. Raises `KubeconfigError`, and `OSError` for a file that is unreadable.
    """
    lists: dict[str, dict[str, tuple[Mapping[str, Any], Path]]] = {key: {} for key in _LISTS}
    name = context
    for path in paths:
        try:
            document = _document(path)
        except FileNotFoundError:
            continue
        name = name or document.get("current-context")
        for key in _LISTS:
            for each, body in _named(document, key, path).items():
                lists[key].setdefault(each, (body, path.parent))

    def section(key: str, name: str) -> Section:
        if name not in lists[key]:
            raise KubeconfigError(f"there is no {name!r} in its `{key}`")
        return Section(_LISTS[key], *lists[key][name])

    if not isinstance(name, str) or not name:
        raise KubeconfigError("it has no `current-context`, and no `context` is configured")
    chosen = section("contexts", name)
    cluster, user = section("clusters", chosen.text("cluster")), chosen.text("user")
    return cluster, section("users", user) if user else None


def _document(path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError):
        # The exception's own text can repeat a line of the file, and with it a token.
        raise KubeconfigError(f"{path} is not YAML") from None
    if not isinstance(document, dict | None):
        raise KubeconfigError(f"{path} is no kubeconfig: a mapping is wanted")
    return document or {}


def _named(document: Mapping[str, Any], key: str, path: Path) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    kind = _LISTS[key]
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


def fits(value: object, kind: str) -> bool:
    """Return whether a value is of a field's kind."""
    if kind == TEXTS:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if kind == DATA:
        return isinstance(value, str) and base64_in(value) is not None
    types = {FLAG: bool, MAP: dict, ANY: object}
    return isinstance(value, types.get(kind, str))
