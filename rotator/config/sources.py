"""The settings of the sources, one class a type."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from msgspec.structs import replace

from rotator.aws.environment import Variant, private_registry, public_registry, variant_of
from rotator.config.places import FilePath, InputFile, Registry, RoleArn, ServerAddress, Url
from rotator.config.settings import OneOf, Rule, Settings, When, digest, spelled
from rotator.config.types import (
    EACH_ONCE,
    FILLED,
    NO_TEXTS,
    NUMBER,
    Duration,
    Flag,
    Text,
    Texts,
    Whole,
    matching,
)
from rotator.config.vault_auth import SERVER_RULES, Auth, VaultPath

AccountId = Annotated[str, matching(r"[0-9]{12}", "an AWS account id of 12 digits", also=NUMBER)]
Region = Annotated[str, matching(
    r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}", "an AWS region such as eu-west-1")]  # fmt: skip
SessionName = Annotated[str, matching(
    r"[A-Za-z0-9_+=,.@-]{2,64}", "2 to 64 letters, digits or _+=,.@-")]  # fmt: skip
HelperName = Annotated[str, matching(
    r"[A-Za-z0-9][A-Za-z0-9._-]*", "the name after docker-credential-, such as gcr")]  # fmt: skip
HelperTimeout = Annotated[timedelta, matching(
    r"([1-9]|[1-4][0-9]|50)s", "1s to 50s", lambda text: timedelta(seconds=int(text[:-1]))
)]  # fmt: skip


class SourceSettings(Settings, tag_field="type", kw_only=True):
    """What every source has."""

    name: Text = ""
    """The source's name, unique in its rotation; default: the type, numbered where needed."""

    def known_registries(self) -> frozenset[str] | None:
        """Return the registries that the source serves; None where only a fetch can say."""
        raise NotImplementedError

    def asks_for(self) -> str:
        """Return what is the same for two sources that ask for the same: all but the name."""
        return spelled(replace(self, name=""))

    def configured(self) -> str:
        """Return what the journal holds of how it is configured; see `core.ports.Source`."""
        return digest(self.asks_for())


class AwsSettings(SourceSettings, kw_only=True):
    """What both kinds of ECR have: where the AWS identity comes from."""

    RULES: ClassVar[tuple[Rule, ...]] = (When("external_id", needs=("role_arn",)),)

    role_arn: RoleArn | None = None
    """A role to assume, for example in another account."""
    external_id: Text | None = None
    """What the role's trust policy asks for."""
    session_name: SessionName | None = None
    """The name that CloudTrail shows for the assumed role; default: rotator."""
    profile: Text | None = None
    """A profile of the AWS configuration files."""
    web_identity_token_file: InputFile | None = None
    """An OIDC token to assume the role with; default: $AWS_WEB_IDENTITY_TOKEN_FILE."""
    endpoint_url: Url | None = None
    """The ECR API's address, such as a VPC endpoint's; decides instead of the next two keys."""
    sts_endpoint_url: Url | None = None
    """The STS API's address, for every way to assume a role: here, by environment or by profile."""
    use_fips_endpoint: Flag | None = None
    """Ask and pull from FIPS endpoints; default: what AWS's environment and profile say."""
    use_dualstack_endpoint: Flag | None = None
    """Ask and pull over IPv4 and IPv6; default: what AWS's environment and profile say."""
    registries: Annotated[tuple[Registry, ...], EACH_ONCE] | None = None
    """Further hosts that take the same token: a PrivateLink name, a reverse proxy."""
    ca_file: InputFile | None = None
    """Certificates to trust for AWS instead of the system's."""

    def variant(self) -> Variant:
        """Return the kind of endpoint that is wanted."""
        return variant_of(
            self.use_fips_endpoint, self.use_dualstack_endpoint, self.endpoint_url, self.profile
        )


class EcrSourceSettings(AwsSettings, tag="ecr", kw_only=True):
    """Amazon ECR: one token that is good for every registry in a region that the role may read."""

    region: Region
    """The region of the registries, such as eu-west-1."""
    accounts: Annotated[tuple[AccountId, ...], EACH_ONCE] | None = None
    """The accounts whose registries are published; default: the host in the answer."""

    def known_registries(self) -> frozenset[str] | None:
        """Return the accounts' hosts and the further ones; None where only the answer tells."""
        if self.accounts is None:
            return None
        variant = self.variant()
        hosts = [private_registry(account, self.region, variant) for account in self.accounts]
        return frozenset([*hosts, *(self.registries or ())])


class EcrPublicSourceSettings(AwsSettings, tag="ecr_public", kw_only=True):
    """Amazon ECR Public: the registry public.ecr.aws, whose API is in us-east-1 only."""

    region: Literal["us-east-1"] = "us-east-1"
    """The API's region; there is no other."""

    def known_registries(self) -> frozenset[str] | None:
        """Return the one registry that there is, and the further hosts."""
        return frozenset([public_registry(self.variant()), *(self.registries or ())])


class VaultSourceSettings(SourceSettings, tag="vault", kw_only=True):
    """A secret in Vault or OpenBao: from a key/value engine, or made on request."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        *SERVER_RULES,
        OneOf(("registry", "docker_config_field")),
        OneOf(("username", "username_field"), required=False),
        When("docker_config_field", forbids=("username", "username_field", "password_field"),
            hint="the docker config has its own user names and passwords"),
        When("engine", ("kv1", "dynamic"), forbids=("kv_version_pin",)),
        When("engine", ("kv1", "kv2"), forbids=("parameters", "method", "revoke_after")),
    )  # fmt: skip

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
    """The secret's path as `vault kv get` takes it: secret/registries/harbor, not secret/data/…."""
    engine: Literal["auto", "kv1", "kv2", "dynamic"] = "auto"
    """What answers at the path; auto: found out by itself."""
    kv_version_pin: Whole | None = None
    """Read this version of the secret instead of the newest."""
    registry: Registry | None = None
    """The registry that the user name and the password are for."""
    username: Text | None = None
    """The user name itself, where the secret does not hold it."""
    username_field: Text = "username"
    """The field that holds the user name."""
    password_field: Text = "password"  # noqa: S105  the name of a field
    """The field that holds the password."""
    docker_config_field: Text | None = None
    """The field that holds a whole docker config, instead of `registry` and its fields."""
    expires_at_field: Text | None = None
    """The field that holds the end of the credential's life (RFC 3339, or seconds since 1970)."""
    parameters: Texts = NO_TEXTS
    """What is sent with the read or write of a dynamic secret."""
    method: Literal["read", "write"] = "read"
    """How a dynamic secret is asked for."""
    revoke_after: Duration | None = None
    """How long a replaced lease is left alive for running jobs; default: `longest_job`."""

    def known_registries(self) -> frozenset[str] | None:
        """Return the one registry; None where the docker config names them."""
        return None if self.registry is None else frozenset({self.registry})


class CredentialHelperSourceSettings(SourceSettings, tag="credential_helper", kw_only=True):
    """A Docker credential helper: the login that `docker-credential-NAME get` writes."""

    helper: HelperName
    """The helper's name: `gcr` runs `docker-credential-gcr get`."""
    registries: Annotated[tuple[Registry, ...], FILLED]
    """The registries to ask it for."""
    lifetime: Duration | None = None
    """How long its logins are good; default: not known."""
    timeout: HelperTimeout = timedelta(seconds=10)
    """How long it may run, 50s at most: a cycle waits a minute for its sources."""

    def known_registries(self) -> frozenset[str] | None:
        """Return the registries that the helper is asked for."""
        return frozenset(self.registries)


class DockerConfigSourceSettings(SourceSettings, tag="docker_config", kw_only=True):
    """The entries of another docker config file."""

    path: FilePath
    """The docker config file."""
    registries: Annotated[tuple[Registry, ...], FILLED] | None = None
    """Take only these entries; default: all."""

    def known_registries(self) -> frozenset[str] | None:
        """Return the entries asked for; None where all are taken."""
        return None if self.registries is None else frozenset(self.registries)


Source = (
    EcrSourceSettings
    | EcrPublicSourceSettings
    | VaultSourceSettings
    | CredentialHelperSourceSettings
    | DockerConfigSourceSettings
)
