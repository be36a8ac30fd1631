"""The parts of a kubeconfig: every field that there is, and what of it can't be obeyed.

A field that can't be honoured is refused by its name, and so is one that no kubeconfig has: a login
or a proxy that is ignored in silence would let rotator write as somebody else.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlsplit

from msgspec import Meta, Struct

from rotator.core.errors import Reason
from rotator.core.model import Secret  # noqa: TC001  a Struct's field

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_OTHER_NAMES = {"impersonated": "as", "token_file": "tokenFile"}


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
