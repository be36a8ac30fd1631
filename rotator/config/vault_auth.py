"""How a Vault (or OpenBao) server is reached, and the ways to log in to it."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from rotator.config.places import InputFile, Url, VariableName
from rotator.config.rules import OneOf, Rule, When
from rotator.config.settings import Settings
from rotator.config.types import Text, matching

SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")

# A segment `..` would lead to another endpoint of the API.
_SEGMENT = r"(?!\.\.?(/|$))[^/\s?#]+"
VaultPath = Annotated[
    str,
    matching(
        rf"{_SEGMENT}(/{_SEGMENT})*",
        "a path such as secret/registries/harbor",
        hint=", without slash at either end, white space, `?`, `#`, `.` or `..`",
    ),
]


class TokenAuthSettings(Settings):
    """A token that somebody else made."""

    RULES: ClassVar[tuple[Rule, ...]] = (OneOf(("token_file", "token_env")),)

    method: Literal["token"] = "token"
    mount: VaultPath = "token"
    """Where the login method is mounted; default: the method's name."""
    token_file: InputFile | None = None
    """The file that holds the token."""
    token_env: VariableName | None = None
    """The environment variable that holds the token."""


class ApproleAuthSettings(Settings):
    """A role id and, where the role asks for one, a secret id."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        OneOf(("secret_id_file", "secret_id_env"), required=False),
    )

    method: Literal["approle"] = "approle"
    mount: VaultPath = "approle"
    """Where the login method is mounted; default: the method's name."""
    role_id: Text
    """The role's id; no secret by itself."""
    secret_id_file: InputFile | None = None
    """The file that holds the secret id."""
    secret_id_env: VariableName | None = None
    """The environment variable that holds the secret id."""


class KubernetesAuthSettings(Settings):
    """The pod's service account."""

    method: Literal["kubernetes"] = "kubernetes"
    mount: VaultPath = "kubernetes"
    """Where the login method is mounted; default: the method's name."""
    role: Text
    """The role to log in as."""
    jwt_file: InputFile = SERVICE_ACCOUNT_TOKEN
    """The service account's token; default: where Kubernetes puts it."""


class JwtAuthSettings(Settings):
    """A JWT from a file that somebody keeps fresh."""

    method: Literal["jwt"] = "jwt"
    mount: VaultPath = "jwt"
    """Where the login method is mounted; default: the method's name."""
    role: Text | None = None
    """The role to log in as; default: the server's own default role."""
    jwt_file: InputFile
    """The file that holds the JWT."""


class CertAuthSettings(Settings):
    """The TLS certificate in `client_cert_file`."""

    method: Literal["cert"] = "cert"
    mount: VaultPath = "cert"
    """Where the login method is mounted; default: the method's name."""
    role: Text | None = None
    """The role to log in as; default: the first one that fits the certificate."""


class UserpassAuthSettings(Settings):
    """A user and a password."""

    method: Literal["userpass"] = "userpass"
    mount: VaultPath = "userpass"
    """Where the login method is mounted; default: the method's name."""
    username: Text
    """The user."""
    password_file: InputFile
    """The file that holds the password."""


class AwsAuthSettings(Settings):
    """The AWS identity of this machine or pod, shown by a signed STS request."""

    method: Literal["aws"] = "aws"
    mount: VaultPath = "aws"
    """Where the login method is mounted; default: the method's name."""
    role: Text | None = None
    """The role to log in as; default: the one named like the IAM role or user."""
    region: Text | None = None
    """The region of the STS endpoint; default: the global one."""


AuthSettings = (
    TokenAuthSettings
    | ApproleAuthSettings
    | KubernetesAuthSettings
    | JwtAuthSettings
    | CertAuthSettings
    | UserpassAuthSettings
    | AwsAuthSettings
)


class VaultServerSettings(Settings, shared=True):
    """A Vault (or OpenBao) server, and the login to it."""

    RULES: ClassVar[tuple[Rule, ...]] = (When("client_key_file", needs=("client_cert_file",)),)

    address: Url
    """The server, such as https://vault.example.com:8200."""
    auth: AuthSettings
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
