"""Who we are for AWS: the SDK's own identity, and the role that is assumed with it.

An identity that is missing or odd is the user's configuration. The SDK raises what Python raises
for it (`FileNotFoundError`, `ValueError`, …); here each becomes an error that names the file, the
profile or the variable. Where its correction can be noticed here (a file that appears), the
error is a rejected login, which is tried again as soon as `aws_stamp` changes.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from botocore import exceptions as sdk

from rotator.aws.environment import config_file
from rotator.aws.errors import RULES, UNPARSED, Call, explain, malformed, time_zone_error
from rotator.aws.session import Access, ProgramError, Session, unattended
from rotator.core.error_rules import ErrorRule, Evidence, classify, on
from rotator.core.errors import (
    DriverError,
    LoginRejectedError,
    PermanentError,
    Reason,
)
from rotator.core.model import Secret
from rotator.system.missing import is_missing
from rotator.system.secret_input import SecretInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


Got = TypeVar("Got")

_SESSION_NAME = "rotator"
_SOURCES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CA_BUNDLE",
)
# The details are sentences about {where}: the profile and its file.
_RULES = (
    ErrorRule(on(raised=FileNotFoundError), Reason.LOGIN_REJECTED,
        "let it be written there, or correct {named}; for a pod: kubectl describe pod shows "
        "whether the token is mounted", "the file {file}, which {named} names, is not there",
        LoginRejectedError),
    ErrorRule(on(raised=(PermissionError, IsADirectoryError)), Reason.UNREADABLE,
        "make it readable for the user that runs rotator: ls -l {file}",
        "cannot read {file}, which {named} names: {why}"),
    ErrorRule(on(raised=sdk.RefreshWithMFAUnsupportedError), Reason.INVALID,
        "use a profile or role without mfa_serial, or keys that somebody keeps fresh",
        "{where} wants a second factor (mfa_serial), and nobody is there to type a code"),
    ErrorRule(on(raised=ProgramError, text="can't be started"), Reason.NOT_FOUND,
        "install it, or correct credential_process",
        "the credential_process {program} of {where} {why}"),
    ErrorRule(on(raised=ProgramError), Reason.INVALID,
        "run it yourself as rotator's user, without a terminal: it has to print the keys as JSON",
        "the credential_process {program} of {where} {why}"),
    ErrorRule(on(raised=sdk.InfiniteLoopConfigError), Reason.INVALID,
        "let source_profile name a profile that has keys of its own",
        "{where} refers to itself (source_profile)"),
    ErrorRule(on(raised=(sdk.CredentialRetrievalError, json.JSONDecodeError, UnicodeDecodeError)),
        Reason.INVALID, "ask it yourself, as rotator's user: aws sts get-caller-identity",
        "where {where} takes its keys from gives none that can be used"),
    *RULES,
    ErrorRule(on(), Reason.INVALID,
        "look at {config} and the AWS_ variables of the process ({names}): aws configure list",
        "the AWS SDK can't use its own settings ({type}), with {where}"),
)  # fmt: skip


class Keys(NamedTuple):
    """Keys that sign requests, and the SDK's word for where they are from (None: from a role)."""

    id: str
    secret: Secret
    token: Secret | None
    source: str | None

    def options(self) -> dict[str, str | None]:
        """Return them as a client of the SDK takes them."""
        return {
            "aws_access_key_id": self.id,
            "aws_secret_access_key": self.secret.reveal(),
            "aws_session_token": self.token.reveal() if self.token else None,
        }


def keys_for(access: Access, session: Session, now: datetime) -> Keys:
    """Return the keys of the role where one is configured, else the SDK's own."""
    if access.role_arn is None and access.web_identity_token_file is None:
        return own_keys(access, session, now)
    role = access.role_arn or os.environ.get("AWS_ROLE_ARN", "")
    if not role:
        raise PermanentError(
            Reason.FIELD_MISSING,
            "web_identity_token_file is set, but no role to assume with it",
            "set role_arn",
        )
    asked = {"RoleArn": role, "RoleSessionName": access.session_name or _SESSION_NAME}
    if (token_file := access.web_identity_token_file) is not None:
        if is_missing(token_file):
            given = {"file": str(token_file), "named": "web_identity_token_file"}
            raise classify(_RULES, Evidence(error=FileNotFoundError()), given=given)
        asked["WebIdentityToken"] = SecretInput(token_file).read().reveal()
        return _assumed(access, session, now, asked, None)
    if access.external_id is not None:
        asked["ExternalId"] = access.external_id
    return _assumed(access, session, now, asked, own_keys(access, session, now))


def own_keys(access: Access, session: Session, now: datetime) -> Keys:
    """Return the keys of the SDK's own identity: environment, profile, container or instance."""
    call = Call(f"a request to AWS in {access.region}", ())

    def keys() -> Keys:
        unattended(session)
        found = session.get_credentials()
        frozen = found.get_frozen_credentials() if found else None
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise explain(sdk.NoCredentialsError(), call, now)
        token = Secret(frozen.token) if frozen.token else None
        return Keys(frozen.access_key, Secret(frozen.secret_key), token, found.method)

    return tried(keys, access, call, now, session)


def tried(
    do: Callable[[], Got], access: Access, call: Call, now: datetime, session: Session | None = None
) -> Got:
    """Return what `do` gives; whatever the SDK raises meanwhile is about our identity.

    `session`: it knows the SDK's last call, which is then the one that failed.
    """
    try:
        return do()
    except DriverError:
        raise
    except Exception as error:  # noqa: BLE001  whatever the SDK raises for odd settings
        if session and session.last_call:
            call = Call(f"{session.last_call} in {access.region}", ())
        failure = _of_identity(error, access, call, now)
    # Raised out here: the SDK's texts repeat signed headers and what a program printed.
    raise failure


def _of_identity(error: Exception, access: Access, call: Call, now: datetime) -> DriverError:
    """Return the error for whatever was raised while the SDK searched for an identity."""
    profile = access.profile or os.environ.get("AWS_PROFILE") or "default"
    names = ", ".join(sorted(name for name in os.environ if name.startswith("AWS_"))) or "none set"
    given = {
        "where": f"the AWS profile `{profile}` in {config_file()}",
        "config": config_file(),
        "names": names,
        "type": type(error).__name__,
    }
    if isinstance(error, ValueError) and (wrong := time_zone_error()) is not None:
        return wrong
    if isinstance(error, OSError):
        file = str(error.filename or "")
        named = next((name for name in _SOURCES if os.environ.get(name) == file), None)
        given |= {"file": file or "of an identity", "named": named or "the AWS settings"}
        given["why"] = error.strerror or ""
    elif isinstance(error, ProgramError):
        given |= {"program": error.program, "why": error.what}
    elif isinstance(error, sdk.ClientError):
        name = f"{error.operation_name} of sts in {access.region}"
        call = Call(name, (f"sts:{error.operation_name}",), access.role_arn)
    return explain(error, call, now, _RULES, given)


def _assumed(
    access: Access, session: Session, now: datetime, asked: dict[str, str], keys: Keys | None
) -> Keys:
    operation = "assume_role" if keys else "assume_role_with_web_identity"
    name = operation.title().replace("_", "")
    call = Call(f"{name} of sts in {access.region}", (f"sts:{name}",), access.role_arn)
    failure, names = None, ("AccessKeyId", "SecretAccessKey", "SessionToken")
    try:
        given_keys = keys.options() if keys else {}
        client = session.create_client("sts", region_name=access.region, **given_keys)
        given = getattr(client, operation)(**asked)["Credentials"]
        key_id, secret_key, token = (given[name] for name in names)
        return Keys(key_id, Secret(secret_key), Secret(token), None)
    except (sdk.BotoCoreError, sdk.ClientError) as error:
        failure = explain(error, call, now)
    except UNPARSED:
        pass
    what = f"sts in {access.region} gave no keys for the role"
    raise failure or malformed(what, "sts_endpoint_url")
