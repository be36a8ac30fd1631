"""The ways to log in to a Vault (or OpenBao) server."""

from pathlib import Path
from typing import Annotated, ClassVar

from rotator.config.places import InputFile, RoleArn, Url, VariableName
from rotator.config.settings import OneOf, Rule, Settings, When
from rotator.config.types import Text, matching

SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")

# A segment `..` would lead to another endpoint of the API.
_SEGMENT = r"(?!\.\.?(/|$))[^/\s?#]+"
VaultPath = Annotated[str, matching(
    rf"{_SEGMENT}(/{_SEGMENT})*", "a path such as secret/registries/harbor",
    hint=", without slash at either end, white space, `?`, `#`, `.` or `..`")]  # fmt: skip


class AuthSettings(Settings, tag_field="method", kw_only=True):
    """What every way to log in has."""

    namespace: Text | None = None
    """The namespace to log in to; default: the secret's own `namespace`."""

    @property
    def method(self) -> str:
        """The login method."""
        return self.type


class MountedAuthSettings(AuthSettings, kw_only=True):
    """A login method of the server."""

    mount: VaultPath = ""
    """Where the login method is mounted; default: the method's name."""

    def __post_init__(self) -> None:
        """Fill in the default."""
        self.fill("mount", self.method)


class TokenAuthSettings(MountedAuthSettings, tag="token", kw_only=True):
    """A token that somebody else made."""

    RULES: ClassVar[tuple[Rule, ...]] = (OneOf(("token_file", "token_env")),)

    token_file: InputFile | None = None
    """The file that holds the token."""
    token_env: VariableName | None = None
    """The environment variable that holds the token."""


class ApproleAuthSettings(MountedAuthSettings, tag="approle", kw_only=True):
    """A role id and, where the role asks for one, a secret id."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        OneOf(("secret_id_file", "secret_id_env"), required=False),
    )

    role_id: Text
    """The role's id; no secret by itself."""
    secret_id_file: InputFile | None = None
    """The file that holds the secret id."""
    secret_id_env: VariableName | None = None
    """The environment variable that holds the secret id."""


class KubernetesAuthSettings(MountedAuthSettings, tag="kubernetes", kw_only=True):
    """The pod's service account."""

    role: Text
    """The role to log in as."""
    jwt_file: InputFile = SERVICE_ACCOUNT_TOKEN
    """The service account's token; default: where Kubernetes puts it."""


class JwtAuthSettings(MountedAuthSettings, tag="jwt", kw_only=True):
    """A JWT from a file that somebody keeps fresh."""

    role: Text | None = None
    """The role to log in as; default: the server's own default role."""
    jwt_file: InputFile
    """The file that holds the JWT."""


class CertAuthSettings(MountedAuthSettings, tag="cert", kw_only=True):
    """The TLS certificate in `client_cert_file`."""

    role: Text | None = None
    """The role to log in as; default: the first one that fits the certificate."""


class UserpassAuthSettings(MountedAuthSettings, tag="userpass", kw_only=True):
    """A user and a password."""

    username: Text
    """The user."""
    password_file: InputFile
    """The file that holds the password."""


class AwsAuthSettings(MountedAuthSettings, tag="aws", kw_only=True):
    """The AWS identity of this machine or pod, shown by a signed STS request."""

    role: Text | None = None
    """The role to log in as; default: the one named like the IAM role or user."""
    region: Text | None = None
    """The region of the STS endpoint; default: the global one."""
    header_value: Text | None = None
    """What Vault's iam_server_id_header_value is: sent as X-Vault-AWS-IAM-Server-ID, signed."""
    role_arn: RoleArn | None = None
    """An AWS role to assume before, for example in another account."""
    profile: Text | None = None
    """A profile of the AWS configuration files."""
    sts_endpoint_url: Url | None = None
    """The STS API's address: for assuming roles, and in the request that Vault sends on."""


class AgentAuthSettings(AuthSettings, tag="agent", kw_only=True):
    """No login of our own: a Vault Agent or Proxy at `address` adds its own token."""


Auth = (
    TokenAuthSettings
    | ApproleAuthSettings
    | KubernetesAuthSettings
    | JwtAuthSettings
    | CertAuthSettings
    | UserpassAuthSettings
    | AwsAuthSettings
    | AgentAuthSettings
)

SERVER_RULES: tuple[Rule, ...] = (When("client_key_file", needs=("client_cert_file",)),)
"""What a Vault server's keys say about each other. The keys themselves stand in the source's and in
the target's class: a Struct takes fields from one base only."""
