"""The settings of the targets, one class a type."""

import os
from typing import Annotated, Any, ClassVar, Literal

from rotator.config.kubernetes_targets import (
    KubernetesConfigMapTargetSettings,
    KubernetesSecretTargetSettings,
)
from rotator.config.places import FilePath, InputFile, ServerAddress, Url, VariableName
from rotator.config.settings import OneOf, Rule, When, digest
from rotator.config.target_common import NamedTargetSettings, server
from rotator.config.types import (
    NUMBER,
    TRUE,
    Account,
    Duration,
    FileMode,
    Flag,
    Text,
    Whole,
    matching,
)
from rotator.config.vault_auth import SERVER_RULES, Auth, VaultPath
from rotator.core.model import Content

VariableKey = Annotated[str, matching(
    r"[A-Za-z0-9_]{1,255}", "a variable's name: letters, digits and _")]  # fmt: skip
Description = Annotated[str, matching(r".{1,255}", "a text of 255 characters at most")]
Yes = Annotated[bool, matching(
    f"({'|'.join(TRUE)})", "true (or leave it out)", lambda _: True, also={"const": True}
)]  # fmt: skip
FieldName = Annotated[str, matching(r"\S+", "a field's name without white space")]
GitlabPath = Annotated[str, matching(r"[A-Za-z0-9_]([A-Za-z0-9_./-]*[A-Za-z0-9_.-])?",
    "a path such as team/apps, or an id, without slash at either end,", also=NUMBER)]  # fmt: skip


class FileTargetSettings(NamedTargetSettings, tag="file", kw_only=True):
    """A file on this machine, such as /opt/.docker/config.json."""

    path: FilePath
    """The file to write."""
    mode: FileMode | None = None
    """Its mode; default: 0600 for a new file, and one that is there keeps its own."""
    owner: Account | None = None
    """Its owner, a name or a number; default: who runs rotator."""
    group: Account | None = None
    """Its group, a name or a number; default: that of who runs rotator."""
    write: Literal["replace", "in_place"] = "replace"
    """replace: rename a new file over it; in_place: only where the path is itself a mount point."""
    durable: Flag = True
    """Wait until it is on the disk, so that it survives a power failure."""

    def where(self) -> str:
        """Return the path."""
        return str(self.path)

    def place(self) -> tuple[Any, ...]:
        """Return where the path leads, as far as its links are there now."""
        return (os.path.realpath(self.path),)

    def configured(self) -> str:
        """Return what the journal holds of the path, wherever its links lead now."""
        return digest(f"{self.type} {self.where()}")


class GitlabVariableTargetSettings(NamedTargetSettings, tag="gitlab_variable", kw_only=True):
    """A CI/CD variable of a GitLab group, project or instance."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        OneOf(("group", "project", "instance")),
        OneOf(("token_file", "token_env")),
        When("instance", forbids=("environment_scope",), hint="an instance's variables have none"),
        When("rotate_before", needs=("token_file",), hint="the new access token is written there"),
    )

    url: Url
    """The GitLab server, such as https://gitlab.example.com."""
    group: GitlabPath | None = None
    """The group's path or id."""
    project: GitlabPath | None = None
    """The project's path or id."""
    instance: Yes | None = None
    """true: a variable of the whole instance; its access token is an administrator's."""
    token_file: InputFile | None = None
    """The file that holds an access token: scope `api`, or a fine-grained one for variables."""
    token_env: VariableName | None = None
    """The environment variable that holds it."""
    key: VariableKey = ""
    """The variable's name; default: DOCKER_AUTH_CONFIG, or by content DOCKER_REGISTRY_USER
    or DOCKER_REGISTRY_PASS."""
    masked: Flag | None = None
    """Hide the value in job logs; default: true, false for `content: username`."""
    masked_and_hidden: Flag = False
    """true: make the variable hidden, so that nobody reads it in GitLab (17.4 or newer)."""
    protected: Flag | None = None
    """Only for pipelines on protected refs; default: as it is, false for a new variable."""
    environment_scope: Text = "*"
    """The environments that get it."""
    description: Description | None = None
    """Its description; default: who keeps it fresh, and until when."""
    rotate_before: Duration | None = None
    """Renew rotator's own access token this long before it ends, by self-rotation; default: off.
    Not where several hosts share the token file."""
    ca_file: InputFile | None = None
    """Certificates to trust for this server instead of the system's."""

    def where(self) -> str:
        """Return the owner's path and the key, with the scope where it is not `*`."""
        scope = "" if self.environment_scope == "*" else f"@{self.environment_scope}"
        return f"{self.owner_path or self.owner}/{self.key}{scope}"

    @property
    def owner(self) -> Literal["group", "project", "instance"]:
        """Whose variable it is."""
        if self.instance:
            return "instance"
        return "project" if self.group is None else "group"

    @property
    def owner_path(self) -> str:
        """The path or id of the group or project; empty for the instance."""
        return str(self.group or self.project or "")

    def place(self) -> tuple[Any, ...]:
        """Return what makes the variable one of its kind."""
        # GitLab compares the paths of groups and projects without their case.
        owner = (server(self.url), self.owner, self.owner_path.lower())
        return (*owner, self.key, self.environment_scope)

    def __post_init__(self) -> None:
        """Fill in the defaults that depend on other keys."""
        key = self.by_content("DOCKER_AUTH_CONFIG", "DOCKER_REGISTRY_USER", "DOCKER_REGISTRY_PASS")
        self.fill("key", key)
        # GitLab refuses to mask a value under 8 characters, and user names are often shorter.
        self.fill("masked", self.content is not Content.USERNAME)
        super().__post_init__()


class VaultKvTargetSettings(NamedTargetSettings, tag="vault_kv", kw_only=True):
    """A secret in a key/value engine, from which a fleet of hosts reads."""

    RULES: ClassVar[tuple[Rule, ...]] = SERVER_RULES

    address: ServerAddress
    """The Vault or OpenBao server, such as https://vault.example.com:8200; or an Agent's or Proxy's
    socket, unix:///path."""
    auth: Auth
    """How to log in."""
    namespace: Text | None = None
    """The namespace, where the server has them."""
    ca_file: InputFile | None = None
    """Certificates to trust for this server instead of the system's."""
    client_cert_file: InputFile | None = None
    """The TLS certificate to show."""
    client_key_file: InputFile | None = None
    """Its key, where it is not in the same file."""
    tls_server_name: Text | None = None
    """The name to expect in the server's certificate; default: the one in `address`."""
    path: VaultPath
    """The secret's path as `vault kv put` takes it: secret/fleet/docker."""
    engine: Literal["auto", "kv1", "kv2"] = "auto"
    """The engine's version; auto: found out by itself."""
    field: FieldName = ""
    """The field to write; default: config.json, or username or password by content."""
    keep_versions: Whole | None = None
    """Destroy versions older than the newest this many; default: what the server keeps."""

    def where(self) -> str:
        """Return the secret's path."""
        return self.path

    def place(self) -> tuple[Any, ...]:
        """Return what makes the secret one of its kind."""
        return (server(self.address), (self.namespace or "").strip("/"), self.path)

    def __post_init__(self) -> None:
        """Fill in the defaults that depend on other keys."""
        self.fill("field", self.by_content("config.json", "username", "password"))
        super().__post_init__()


Target = (
    FileTargetSettings
    | KubernetesSecretTargetSettings
    | KubernetesConfigMapTargetSettings
    | GitlabVariableTargetSettings
    | VaultKvTargetSettings
)
