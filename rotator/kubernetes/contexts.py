"""The cluster and the user of a context of a kubeconfig, as far as rotator can do what they ask.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

from rotator.core.model import Secret
from rotator.kubernetes.kubeconfig import TEXTS, KubeconfigError, Section, fits, sections

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class Cluster(Struct, frozen=True):
    """Where the API server is, what proves that, and what its extensions hold for a plugin."""

    server: str
    tls_server_name: str | None = None
    insecure: bool = False
    authority: Path | None = None
    authority_data: bytes | None = None
    proxy: str | None = None
    plugin_config: Any = None


class Plugin(Struct, frozen=True):
    """A program that gives a login."""

    version: str
    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    install_hint: str = ""
    wants_cluster: bool = False


class User(Struct, frozen=True):
    """Who logs in, and how. `impersonate`: headers that ask to take us for somebody else."""

    token: Secret | None = None
    token_file: Path | None = None
    username: str = ""
    password: Secret | None = None
    certificate: Path | bytes | None = None
    key: Path | Secret | None = None
    plugin: Plugin | None = None
    impersonate: tuple[tuple[str, str], ...] = ()


class Selected(Struct, frozen=True):
    """The cluster and the user of one context."""

    cluster: Cluster
    user: User = User()

    def files(self) -> list[Path]:
        """Return the files that it names."""
        named = (self.cluster.authority, self.user.token_file, self.user.certificate, self.user.key)
        return [path for path in named if isinstance(path, Path)]


def load(paths: Sequence[Path], context: str | None) -> Selected:
    """Return what a context says, the current one without `context`.

    Raises `KubeconfigError`, and `OSError` for a file that is unreadable.
    """
    cluster, user = sections(paths, context)
    return Selected(_cluster(cluster), _user(user) if user else User())


def _cluster(fields: Section) -> Cluster:
    server, proxy = fields.text("server"), fields.text("proxy-url")
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
    insecure = fields.get("insecure-skip-tls-verify") is True
    authorities = fields.data("certificate-authority-data")
    authority = None if authorities else fields.path("certificate-authority")
    if insecure and (authorities or authority):
        raise KubeconfigError(
            "its cluster has `insecure-skip-tls-verify` and a `certificate-authority`, which "
            "exclude each other"
        )
    extensions = fields.get("extensions")
    for_plugins = [
        each.get("extension")
        for each in (extensions if isinstance(extensions, list) else ())
        if isinstance(each, dict) and each.get("name") == "client.authentication.k8s.io/exec"
    ]
    return Cluster(
        server.rstrip("/"),
        fields.text("tls-server-name") or None,
        insecure,
        authority,
        authorities,
        proxy or None,
        next(iter(for_plugins), None),
    )


def _scheme(url: str) -> str:
    """Return a URL's scheme; an empty text where there is no host in it, or no such port."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises for one that is no number
    except ValueError:
        return ""
    return parts.scheme if parts.hostname else ""


def _user(fields: Section) -> User:
    if fields.get("auth-provider") is not None:
        raise KubeconfigError(
            "the field `auth-provider` of its user is gone since Kubernetes 1.26; log in again "
            "with the cloud's own tool, which writes `exec` in its place"
        )
    token, username, password = map(fields.text, ("token", "username", "password"))
    if token and (username or password):
        raise KubeconfigError("its user has `token` and `username` or `password`: keep one login")
    certificate = fields.data("client-certificate-data") or fields.path("client-certificate")
    pem = fields.data("client-key-data")
    key = Secret(pem.decode(errors="replace")) if pem else fields.path("client-key")
    if certificate and not key:
        raise KubeconfigError(
            "its user has a `client-certificate` and no `client-key` or `client-key-data`"
        )
    plugin = fields.get("exec")
    return User(
        Secret(token) if token else None,
        fields.path("tokenFile"),
        username,
        Secret(password) if password else None,
        certificate,
        key if certificate else None,
        _plugin(Section("exec", plugin, fields.folder)) if plugin else None,
        tuple(_impersonated(fields)),
    )


def _impersonated(fields: Section) -> Iterable[tuple[str, str]]:
    """Yield the headers that ask for it, as client-go writes them."""
    others = [name for name in ("as-uid", "as-groups", "as-user-extra") if fields.get(name)]
    if others and not fields.get("as"):
        raise KubeconfigError(f"its user has `{others[0]}` without `as`")
    extra = fields.get("as-user-extra") or {}
    if not all(isinstance(key, str) and fits(values, TEXTS) for key, values in extra.items()):
        raise KubeconfigError("the field `as-user-extra` of its user wants lists of texts")
    for field, name, values in (
        ("as", "User", [fields.text("as")]),
        ("as-uid", "Uid", [fields.text("as-uid")]),
        ("as-groups", "Group", fields.get("as-groups") or ()),
        *(("as-user-extra", f"Extra-{_escaped(key)}", values) for key, values in extra.items()),
    ):
        for value in filter(None, values):
            if not (value.isascii() and value.isprintable()):
                raise KubeconfigError(
                    f"the field `{field}` of its user holds what no header can carry"
                )
            yield f"Impersonate-{name}", value


def _escaped(key: str) -> str:
    """Return a key as a header's name can carry it."""
    plain = "!#$&'*+-.^_`|~"
    return "".join(
        letter
        if letter.isascii() and (letter.isalnum() or letter in plain)
        else "".join(f"%{byte:02X}" for byte in letter.encode())
        for letter in key
    )


def _plugin(fields: Section) -> Plugin:
    version, command = fields.text("apiVersion"), fields.text("command")
    if not command:
        raise KubeconfigError("the field `command` of its exec is missing")
    if version not in _EXEC_VERSIONS:
        raise KubeconfigError(
            f"the field `apiVersion` of its exec is not supported: {_EXEC_VERSIONS[0]} or "
            f"{_EXEC_VERSIONS[1].rpartition('/')[2]} is"
        )
    if fields.text("interactiveMode") not in ("", "Never", "IfAvailable"):
        raise KubeconfigError(
            "the field `interactiveMode` of its exec asks for a terminal, and rotator has none; "
            "a login plugin that works alone has `Never` or `IfAvailable`"
        )
    entries = fields.get("env") or []
    if not isinstance(entries, list) or not all(map(_is_variable, entries)):
        raise KubeconfigError("the field `env` of its exec wants a list of `name` and `value`")
    return Plugin(
        version,
        # Only a command with a slash is a path; others are found in $PATH.
        str(fields.folder / command) if "/" in command else command,
        tuple(fields.get("args") or ()),
        tuple((each["name"], each.get("value", "")) for each in entries),
        fields.text("installHint"),
        fields.get("provideClusterInfo") is True,
    )


def _is_variable(entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    name, value = entry.get("name"), entry.get("value", "")
    return bool(name) and isinstance(name, str) and isinstance(value, str)
