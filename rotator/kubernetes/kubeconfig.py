"""Reads kubeconfigs: files are merged, and each field has to be one that is known.

A field that can't be honoured is refused by its name, and so is one that no kubeconfig has: a login
or a proxy that is ignored in silence would let rotator write as somebody else.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
import yaml
from msgspec import Meta, Struct
from msgspec.structs import replace

from rotator.core.errors import Reason
from rotator.core.model import Secret
from rotator.decoding import convert

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    _Parts = dict[tuple[str, str], tuple[Mapping[str, Any], Path]]

_EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_OTHER_NAMES = {"impersonated": "as", "token_file": "tokenFile"}

Part = TypeVar("Part", bound=Struct)


class KubeconfigError(Exception):
    """A kubeconfig is of no use. The text says why and repeats no value that may be a secret."""

    def __init__(self, why: str, reason: Reason = Reason.MALFORMED) -> None:
        super().__init__(why)
        self.reason = reason


class Cluster(Struct, frozen=True, rename="kebab"):
    """Where the API server is, what proves that, and what its extensions hold for a plugin."""

    server: str = ""
    tls_server_name: str | None = None
    insecure_skip_tls_verify: bool = False
    certificate_authority: Path | None = None
    certificate_authority_data: bytes | None = None
    proxy_url: str | None = None
    disable_compression: bool = False  # answers are always asked for without compression
    extensions: Any = None  # for tools; the one for login plugins is given to them

    def __post_init__(self) -> None:
        if _scheme(self.server) not in ("http", "https"):
            raise KubeconfigError(
                "the field `server` of its cluster is no URL that begins with https:// or http://"
            )
        if "@" in urlsplit(self.server).netloc:
            raise KubeconfigError(
                "the field `server` of its cluster holds a login, which belongs to the user"
            )
        if self.proxy_url and _scheme(self.proxy_url) not in ("http", "https"):
            raise KubeconfigError(
                "the field `proxy-url` of its cluster is not supported: http:// and https:// are"
            )
        trusted = self.certificate_authority_data or self.certificate_authority
        if self.insecure_skip_tls_verify and trusted:
            raise KubeconfigError(
                "its cluster has `insecure-skip-tls-verify` and a `certificate-authority`, which "
                "exclude each other"
            )

    @property
    def plugin_config(self) -> Any:
        """What the extension for login plugins holds."""
        for each in self.extensions if isinstance(self.extensions, list) else ():
            if isinstance(each, dict) and each.get("name") == "client.authentication.k8s.io/exec":
                return each.get("extension")
        return None


class User(Struct, frozen=True, rename=lambda name: _OTHER_NAMES.get(name, name.replace("_", "-"))):
    """Who logs in, and how; `impersonated` and `as_…` ask to take us for somebody else."""

    token: Secret | None = None
    token_file: Path | None = None
    username: str = ""
    password: Secret | None = None
    client_certificate: Path | None = None
    client_certificate_data: bytes | None = None
    client_key: Path | None = None
    client_key_data: bytes | None = None
    exec: dict[str, Any] | None = None
    impersonated: str | None = None
    as_uid: str | None = None
    as_groups: tuple[str, ...] = ()
    as_user_extra: dict[str, tuple[str, ...]] = {}
    auth_provider: Any = None  # refused: Kubernetes took these out in 1.26
    extensions: Any = None

    def __post_init__(self) -> None:
        if self.auth_provider is not None:
            raise KubeconfigError(
                "the field `auth-provider` of its user is gone since Kubernetes 1.26; log in again "
                "with the cloud's own tool, which writes `exec` in its place"
            )
        if self.token and (self.username or self.password):
            raise KubeconfigError(
                "its user has `token` and `username` or `password`: keep one login"
            )
        if self.certificate and not self.key:
            raise KubeconfigError(
                "its user has a `client-certificate` and no `client-key` or `client-key-data`"
            )
        list(self.headers())

    def __repr__(self) -> str:
        return "User"

    @property
    def certificate(self) -> Path | bytes | None:
        """The client certificate."""
        return self.client_certificate_data or self.client_certificate

    @property
    def key(self) -> Path | bytes | None:
        """The certificate's key."""
        return self.client_key_data or self.client_key

    def headers(self) -> Iterator[tuple[str, str]]:
        """Yield the headers that ask for impersonation, as client-go writes them."""
        extra = self.as_user_extra.items()
        for field, name, values in (
            ("as", "User", [self.impersonated]),
            ("as-uid", "Uid", [self.as_uid]),
            ("as-groups", "Group", self.as_groups),
            *(("as-user-extra", f"Extra-{_escaped(key)}", values) for key, values in extra),
        ):
            for value in filter(None, values):
                if not self.impersonated:
                    raise KubeconfigError(f"its user has `{field}` without `as`")
                if not (value.isascii() and value.isprintable()):
                    raise KubeconfigError(
                        f"the field `{field}` of its user holds what no header can carry"
                    )
                yield f"Impersonate-{name}", value


class Variable(Struct, frozen=True):
    """A variable of a plugin's environment."""

    name: Annotated[str, Meta(min_length=1)]
    value: str = ""


class Plugin(Struct, frozen=True, rename="camel"):
    """A program that gives a login."""

    api_version: str = ""
    command: str = ""
    args: tuple[str, ...] = ()
    env: tuple[Variable, ...] = ()
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = "Never"  # `Always` is refused: there is nobody to ask

    def __post_init__(self) -> None:
        if not self.command:
            raise KubeconfigError("the field `command` of its exec is missing")
        if self.api_version not in _EXEC_VERSIONS:
            raise KubeconfigError(
                f"the field `apiVersion` of its exec is not supported: {_EXEC_VERSIONS[0]} or "
                f"{_EXEC_VERSIONS[1].rpartition('/')[2]} is"
            )
        if self.interactive_mode not in ("Never", "IfAvailable"):
            raise KubeconfigError(
                "the field `interactiveMode` of its exec asks for a terminal, and rotator has "
                "none; a login plugin that works alone has `Never` or `IfAvailable`"
            )


class Context(Struct, frozen=True):
    """Which cluster and which user; a target names its own namespace."""

    cluster: str = ""
    user: str = ""
    namespace: str = ""
    extensions: Any = None


class Selected(Struct, frozen=True):
    """The cluster and the user of one context, and the user's plugin."""

    cluster: Cluster
    user: User = User()
    plugin: Plugin | None = None

    def files(self) -> list[Path]:
        """Return the files that it names."""
        named = (self.cluster.certificate_authority, self.user.token_file)
        every = (*named, self.user.certificate, self.user.key)
        return [one for one in every if isinstance(one, Path)]


class _Entry(Struct):
    name: str
    cluster: dict[str, Any] | None = None
    user: dict[str, Any] | None = None
    context: dict[str, Any] | None = None


class _Document(Struct, rename="kebab"):
    clusters: list[_Entry] | None = None
    users: list[_Entry] | None = None
    contexts: list[_Entry] | None = None
    current_context: str | None = None


def load(paths: Sequence[Path], context: str | None) -> Selected:
    """Return what a context says, the current one without `context`.

    As kubectl does, the first file that sets a name or the current context wins, and a missing file
    is passed over. Raises `KubeconfigError`, and `OSError` for a file that is unreadable.
    """
    found, current = _merged(paths)
    context = context or current

    def part(kind: type[Part], called: str, name: str) -> Part:
        if (called, name) not in found:
            raise KubeconfigError(f"there is no {name!r} in its `{called}s`")
        return _made(kind, called, *found[called, name])

    if not context:
        raise KubeconfigError("it has no `current-context`, and no `context` is configured")
    chosen = part(Context, "context", context)
    cluster = part(Cluster, "cluster", chosen.cluster)
    if not chosen.user:
        return Selected(cluster)
    user, folder = part(User, "user", chosen.user), found["user", chosen.user][1]
    plugin = _made(Plugin, "exec", user.exec, folder) if user.exec else None
    # Only a command with a slash is a path; others are found in $PATH.
    if plugin and "/" in plugin.command:
        plugin = replace(plugin, command=str(folder / plugin.command))
    return Selected(cluster, user, plugin)


def _merged(paths: Sequence[Path]) -> tuple[_Parts, str | None]:
    """Return the fields and the folder of each part, and the current context."""
    found: _Parts = {}
    current: str | None = None
    for path in paths:
        try:
            document = _document(path)
        except FileNotFoundError:
            continue
        current = current or document.current_context
        for kind in ("cluster", "user", "context"):
            here: _Parts = {}
            for entry in getattr(document, f"{kind}s") or ():
                if (kind, entry.name) in here:
                    raise KubeconfigError(f"`{kind}s` in {path} has the name {entry.name!r} twice")
                here[kind, entry.name] = getattr(entry, kind) or {}, path.parent
            found = here | found
    return found, current


def _document(path: Path) -> _Document:
    try:
        document = yaml.safe_load(path.read_bytes())
        return convert({} if document is None else document, _Document)
    except msgspec.ValidationError as error:
        raise KubeconfigError(f"{path} is no kubeconfig: {error}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        # The exception's own text can repeat a line of the file, and with it a token.
        raise KubeconfigError(f"{path} is not YAML") from None


def _made(kind: type[Part], called: str, fields: Mapping[str, Any], folder: Path) -> Part:
    """Return a part of a kubeconfig; relative paths in it are below `folder`."""
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for name in fields:
        if name not in known:
            meant = get_close_matches(str(name), known, 1)
            raise KubeconfigError(
                f"the field `{name}` of its {called} is none that a kubeconfig has"
                f"{f'; did you mean `{meant[0]}`?' if meant else ''}"
            )

    def text(wanted: type[Any], value: object) -> Any:
        if not isinstance(value, str):
            raise TypeError("Expected `str`")
        return folder / value if wanted is Path else Secret(value)

    given = {name: value for name, value in fields.items() if value is not None and value != ""}
    for name, value in given.items():
        if name.endswith("-data") and isinstance(value, str):
            given[name] = "".join(value.split())
    try:
        return convert(given, kind, text)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        field = re.split(r"[.\[`]", where)[0]
        raise KubeconfigError(f"the field `{field}` of its {called}: {what}") from None


def _scheme(url: str) -> str:
    """Return a URL's scheme; an empty text where there is no host in it, or no such port."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises for one that is no number
    except ValueError:
        return ""
    return parts.scheme if parts.hostname else ""


def _escaped(key: str) -> str:
    """Return a key as a header's name can carry it; client-go's `headerKeyEscape`."""
    return quote(key, safe="!#$&'*+-.^_`|~")
