"""The user of a kubeconfig: how it logs in, and as whom it acts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rotator.core.model import Secret
from rotator.kubernetes.kubeconfig import TEXTS, KubeconfigError, check, data, fits, path, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class Plugin(Struct, frozen=True):
    """A program that gives a login."""

    version: str
    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    install_hint: str = ""
    wants_cluster: bool = False


class User(Struct, frozen=True):
    """Who logs in, as whom it acts, and its login."""

    token: Secret | None = None
    token_file: Path | None = None
    username: str = ""
    password: Secret | None = None
    certificate: Path | bytes | None = None
    key: Path | Secret | None = None
    plugin: Plugin | None = None
    impersonate: tuple[tuple[str, str], ...] = ()
    """The headers that ask the server to take us for somebody else."""


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
    certificate = data(body, "client-certificate-data") or path(body, "client-certificate", folder)
    pem = data(body, "client-key-data")
    key = Secret(pem.decode(errors="replace")) if pem else path(body, "client-key", folder)
    if certificate and not key:
        raise KubeconfigError(
            "its user has a `client-certificate` and no `client-key` or `client-key-data`"
        )
    return User(
        Secret(token) if token else None,
        path(body, "tokenFile", folder),
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
        if not isinstance(key, str) or not fits(values, TEXTS):
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
