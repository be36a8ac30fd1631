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

from rotator.core.model import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")

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
        "extensions": ANY,  # for tools; the one for login plugins is handed to them
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


class Plugin(Struct, frozen=True):
    """A program that gives a login."""

    version: str
    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    install_hint: str = ""
    wants_cluster: bool = False


class User(Struct, frozen=True):
    """Who logs in, as whom, and with what."""

    token: Secret | None = None
    token_file: Path | None = None
    username: str = ""
    password: Secret | None = None
    certificate: Path | bytes | None = None
    key: Path | Secret | None = None
    plugin: Plugin | None = None
    impersonate: tuple[tuple[str, str], ...] = ()
    """The headers that ask the server to take us for somebody else."""


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
        if value is not None and not _fits(value, known[name]):
            raise KubeconfigError(f"the field `{name}` of its {section} wants {known[name]}")


def _fits(value: object, kind: str) -> bool:
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
    data = _data(body, "certificate-authority-data")
    authority = None if data else _path(body, "certificate-authority", folder)
    if insecure and (data or authority):
        raise KubeconfigError(
            "its cluster has `insecure-skip-tls-verify` and a `certificate-authority`, which "
            "exclude each other"
        )
    return Cluster(
        server.rstrip("/"),
        text(body, "tls-server-name") or None,
        insecure,
        authority,
        data,
        proxy or None,
        _plugin_config(body.get("extensions")),
    )


def _plugin_config(extensions: object) -> Any:
    for one in extensions if isinstance(extensions, list) else ():
        if isinstance(one, dict) and one.get("name") == "client.authentication.k8s.io/exec":
            return one.get("extension")
    return None


def user(body: Mapping[str, Any], folder: Path) -> User:
    """Return what a user's fields say; relative paths are below `folder`."""
    check(body, "user")
    if body.get("auth-provider") is not None:
        raise KubeconfigError(
            "the field `auth-provider` of its user is gone since Kubernetes 1.26; log in again "
            "with the cloud's own tool, which writes `exec` in its place"
        )
    token, username = text(body, "token"), text(body, "username")
    password = text(body, "password")
    if token and (username or password):
        raise KubeconfigError("its user has `token` and `username` or `password`: keep one login")
    certificate = _data(body, "client-certificate-data") or _path(
        body, "client-certificate", folder
    )
    data = _data(body, "client-key-data")
    key = Secret(data.decode(errors="replace")) if data else _path(body, "client-key", folder)
    if certificate and not key:
        raise KubeconfigError(
            "its user has a `client-certificate` and no `client-key` or `client-key-data`"
        )
    return User(
        Secret(token) if token else None,
        _path(body, "tokenFile", folder),
        username,
        Secret(password) if password else None,
        certificate,
        key if certificate else None,
        _plugin(body["exec"], folder) if body.get("exec") else None,
        tuple(_impersonated(body)),
    )


def _impersonated(body: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    others = [name for name in ("as-uid", "as-groups", "as-user-extra") if body.get(name)]
    if not body.get("as"):
        if others:
            raise KubeconfigError(f"its user has `{others[0]}` without `as`")
        return
    yield "Impersonate-User", _header_value(body["as"], "as")
    if body.get("as-uid"):
        yield "Impersonate-Uid", _header_value(body["as-uid"], "as-uid")
    for group in body.get("as-groups") or ():
        yield "Impersonate-Group", _header_value(group, "as-groups")
    for key, values in (body.get("as-user-extra") or {}).items():
        if not isinstance(key, str) or not _fits(values, TEXTS):
            raise KubeconfigError("the field `as-user-extra` of its user wants lists of texts")
        for value in values:
            name = f"Impersonate-Extra-{_header_name(key)}"
            yield name, _header_value(value, "as-user-extra")


def _header_value(value: str, field: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise KubeconfigError(f"the field `{field}` of its user holds what no header can carry")
    return value


def _header_name(key: str) -> str:
    """Return a key as a header's name can carry it, as client-go escapes it."""
    plain = "!#$&'*+-.^_`|~"
    return "".join(
        letter
        if letter.isascii() and (letter.isalnum() or letter in plain)
        else "".join(f"%{byte:02X}" for byte in letter.encode())
        for letter in key
    )


def _plugin(body: Mapping[str, Any], folder: Path) -> Plugin:
    check(body, "exec")
    version, command = text(body, "apiVersion"), text(body, "command")
    if not command:
        raise KubeconfigError("the field `command` of its exec is missing")
    if version not in EXEC_VERSIONS:
        raise KubeconfigError(
            f"the field `apiVersion` of its exec is not supported: {EXEC_VERSIONS[0]} or "
            f"{EXEC_VERSIONS[1].rpartition('/')[2]} is"
        )
    mode = text(body, "interactiveMode")
    if mode not in ("", "Never", "IfAvailable"):
        raise KubeconfigError(
            "the field `interactiveMode` of its exec asks for a terminal, and rotator has none; "
            "a login plugin that works alone has `Never` or `IfAvailable`"
        )
    return Plugin(
        version,
        # Only a command with a slash is a path; others are found in $PATH.
        str(folder / command) if "/" in command else command,
        tuple(body.get("args") or ()),
        tuple(_environment(body.get("env") or [])),
        text(body, "installHint"),
        body.get("provideClusterInfo") is True,
    )


def _environment(entries: object) -> Iterable[tuple[str, str]]:
    for entry in entries if isinstance(entries, list) else [None]:
        name, value = (
            (entry.get("name"), entry.get("value", "")) if isinstance(entry, dict) else ("", "")
        )
        if not name or not isinstance(name, str) or not isinstance(value, str):
            raise KubeconfigError("the field `env` of its exec wants a list of `name` and `value`")
        yield name, value


def text(body: Mapping[str, Any], name: str) -> str:
    """Return the text of a field, empty where it is left out."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise KubeconfigError(f"the field `{name}` wants a text")
    return value or ""


def _path(body: Mapping[str, Any], name: str, folder: Path) -> Path | None:
    """Return a path, relative to the kubeconfig's own directory."""
    found = text(body, name)
    return folder / found if found else None


def _data(body: Mapping[str, Any], name: str) -> bytes | None:
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
