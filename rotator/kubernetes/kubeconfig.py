"""The fields of a kubeconfig: what each holds, and that no other one is there.

A field that can't be honoured is refused by its name, and so is one that no kubeconfig has: a login
or a proxy that is ignored in silence would let rotator write as somebody else.

https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TEXT, FLAG, DATA, TEXTS, MAP, ANY = "a text", "true or false", "base64", "texts", "a mapping", ""

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
        return _decoded(self.text(name)) or None


def fits(value: object, kind: str) -> bool:
    """Return whether a value is of a field's kind."""
    if kind == TEXTS:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if kind == DATA:
        return isinstance(value, str) and _decoded(value) is not None
    types = {FLAG: bool, MAP: dict, ANY: object}
    return isinstance(value, types.get(kind, str))


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return None
