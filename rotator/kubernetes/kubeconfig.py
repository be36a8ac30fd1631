"""The fields of a kubeconfig: what each means, and which are refused.

Each field of the reference is in `FIELDS`. A field that can't be honoured is refused by its name,
and so is one that no kubeconfig has: a login or a proxy that is ignored in silence would let
rotator write as somebody else.

https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TEXT, FLAG, DATA, TEXTS, MAP, ANY = "a text", "true or false", "base64", "texts", "a mapping", ""

FIELDS: Mapping[str, Mapping[str, str]] = {
    "cluster": {
        "server": TEXT,
        "tls-server-name": TEXT,
        "insecure-skip-tls-verify": FLAG,
        "certificate-authority": TEXT,
        "certificate-authority-data": DATA,
        "proxy-url": TEXT,
        "disable-compression": FLAG,  # answers are always asked for without compression
        "extensions": ANY,  # for tools; the one for login plugins is given to them
    },
    "user": {
        "client-certificate": TEXT,
        "client-certificate-data": DATA,
        "client-key": TEXT,
        "client-key-data": DATA,
        "token": TEXT,
        "tokenFile": TEXT,
        "as": TEXT,
        "as-uid": TEXT,
        "as-groups": TEXTS,
        "as-user-extra": MAP,
        "username": TEXT,
        "password": TEXT,
        "auth-provider": ANY,  # refused: Kubernetes took these out in 1.26
        "exec": MAP,
        "extensions": ANY,
    },
    "exec": {
        "apiVersion": TEXT,
        "command": TEXT,
        "args": TEXTS,
        "env": ANY,
        "installHint": TEXT,
        "provideClusterInfo": FLAG,
        "interactiveMode": TEXT,  # `Always` is refused: there is nobody to ask
    },
    "context": {
        "cluster": TEXT,
        "user": TEXT,
        "namespace": TEXT,  # a target names its own
        "extensions": ANY,
    },
}
"""The fields of each section, and what each holds."""


class KubeconfigError(Exception):
    """A kubeconfig is of no use. The text says why and repeats no value that may be a secret."""


class Cluster(Struct, frozen=True):
    """Where the API server is and what proves that it is that one."""

    server: str
    tls_server_name: str | None = None
    insecure: bool = False
    authority: Path | None = None
    authority_data: bytes | None = None
    proxy: str | None = None
    plugin_config: Any = None
    """What the cluster's extensions hold for a login plugin."""


def check(body: Mapping[str, Any], section: str) -> None:
    """Refuse a field that is not in the reference, or holds something else than it should."""
    known = FIELDS[section]
    for name, value in body.items():
        if name not in known:
            meant = get_close_matches(str(name), known, 1)
            raise KubeconfigError(
                f"the field `{name}` of its {section} is none that a kubeconfig has"
                f"{f'; did you mean `{meant[0]}`?' if meant else ''}"
            )
        if value is not None and not fits(value, known[name]):
            raise KubeconfigError(f"the field `{name}` of its {section} wants {known[name]}")


def fits(value: object, kind: str) -> bool:
    """Return whether a value is of a field's kind."""
    if kind == TEXTS:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if kind == FLAG:
        return isinstance(value, bool)
    if kind == MAP:
        return isinstance(value, dict)
    if kind == DATA:
        return isinstance(value, str) and _decoded(value) is not None
    return kind == ANY or isinstance(value, str)


def cluster(body: Mapping[str, Any], folder: Path) -> Cluster:
    """Return what a cluster's fields say; relative paths are below `folder`."""
    check(body, "cluster")
    server, proxy = text(body, "server"), text(body, "proxy-url")
    if _scheme(server) not in ("http", "https"):
        raise KubeconfigError(
            "the field `server` of its cluster is no URL that begins with https:// or http://"
        )
    if "@" in urlsplit(server).netloc:
        raise KubeconfigError(
            "the field `server` of its cluster holds a login, which belongs to the user's fields"
        )
    if proxy and _scheme(proxy) not in ("http", "https"):
        raise KubeconfigError(
            "the field `proxy-url` of its cluster is not supported: only http:// and https:// are"
        )
    insecure = body.get("insecure-skip-tls-verify") is True
    authorities = data(body, "certificate-authority-data")
    authority = None if authorities else path(body, "certificate-authority", folder)
    if insecure and (authorities or authority):
        raise KubeconfigError(
            "its cluster has `insecure-skip-tls-verify` and a `certificate-authority`, which "
            "exclude each other"
        )
    return Cluster(
        server.rstrip("/"),
        text(body, "tls-server-name") or None,
        insecure,
        authority,
        authorities,
        proxy or None,
        _plugin_config(body.get("extensions")),
    )


def _plugin_config(extensions: object) -> Any:
    for one in extensions if isinstance(extensions, list) else ():
        if isinstance(one, dict) and one.get("name") == "client.authentication.k8s.io/exec":
            return one.get("extension")
    return None


def text(body: Mapping[str, Any], name: str) -> str:
    """Return the text of a field, empty where it is left out."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise KubeconfigError(f"the field `{name}` wants a text")
    return value or ""


def path(body: Mapping[str, Any], name: str, folder: Path) -> Path | None:
    """Return a path, relative to the kubeconfig's own directory."""
    found = text(body, name)
    return folder / found if found else None


def data(body: Mapping[str, Any], name: str) -> bytes | None:
    """Return what a field holds in base64; None where it is left out or empty."""
    return _decoded(text(body, name)) or None


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return None


def _scheme(url: str) -> str:
    """Return a URL's scheme; an empty text where there is no host in it, or no such port."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises for one that is no number
    except ValueError:
        return ""
    return parts.scheme if parts.hostname else ""
