"""What AWS and its SDK answer, and what that means for a person.

The SDK's own texts are never passed on: a wrong signature's repeats the signed headers with the
session token in them, and a credential process's holds whatever the process printed.

The codes: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html and
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html#API_AssumeRole_Errors
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore import exceptions as sdk

from rotator.core.errors import (
    DriverError,
    LoginRejectedError,
    Reason,
    TemporaryError,
)
from rotator.system.error_rule import ErrorRule, classify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# A signature is good for five minutes either way.
_SIGNATURE_LIFE = timedelta(minutes=5)
_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[\w+=,.@/-]+")
_SERVER_ERROR = 500


class Call(NamedTuple):
    """One call: its name for people, what IAM must allow for it, and the role it assumes."""

    name: str
    actions: tuple[str, ...]
    role: str | None = None


# fmt: off
@dataclass(frozen=True, slots=True)
class Fault:
    """What the SDK raised: AWS's code and HTTP status where AWS sent an answer, else "" and 0."""

    error: Exception
    code: str = ""
    status: int = 0


def _codes(*codes: str) -> Callable[[Fault], bool]:
    return lambda fault: fault.code in codes


def _statuses(*statuses: int) -> Callable[[Fault], bool]:
    return lambda fault: fault.status in statuses


def _raised(*kinds: type[Exception]) -> Callable[[Fault], bool]:
    return lambda fault: isinstance(fault.error, kinds)


_LOOK = "see which identity is used: aws sts get-caller-identity"
_ASK_AWS = "ask it yourself, as rotator's user: aws sts get-caller-identity"
_REACH = (
    "check name resolution and the way out (proxy, firewall, VPC endpoint), and the region's name"
)
_WAIT = "nothing to do: it is asked again; if this stays, find what else calls it so often"
_DOWN_HINT = "nothing to do: it is asked again; see https://health.aws.amazon.com for outages"
_SETTINGS = "look at ~/.aws/config and the AWS_ variables of the process: aws configure list"
_GIVE = (
    "give the process AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, a role of the "
    "instance or the pod, or web_identity_token_file; in a container on an instance, the metadata "
    "service answers only with a hop limit of 2: aws ec2 modify-instance-metadata-options "
    "--http-put-response-hop-limit 2; see what is found: aws sts get-caller-identity"
)

_DENIED = ErrorRule(
    _codes("AccessDeniedException", "AccessDenied", "UnauthorizedOperation"),
    Reason.FORBIDDEN, "allow it in the identity's IAM policy: {allow}", "is denied",
)
_SIGNATURE_WRONG = ErrorRule(
    _codes("InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature"),
    Reason.LOGIN_REJECTED, f"correct the secret access key; {_LOOK}",
    "is refused: the secret access key does not belong to the access key id", LoginRejectedError,
)
_CLOCK = ErrorRule(
    _codes("RequestExpired", "RequestTimeTooSkewed"), Reason.EXPIRED,
    "set this machine's clock: timedatectl set-ntp true", "is refused: the clocks disagree",
    TemporaryError,
)
_RULES: tuple[ErrorRule[Fault], ...] = (
    _DENIED,
    ErrorRule(
        _codes("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"),
        Reason.LOGIN_REJECTED,
        "see which one is used: aws sts get-caller-identity (a region that the account has not "
        "enabled answers this too)",
        "is refused: AWS does not know this access key", LoginRejectedError,
    ),
    _SIGNATURE_WRONG,
    ErrorRule(
        _codes("InvalidIdentityToken", "IDPRejectedClaim"), Reason.LOGIN_REJECTED,
        "compare the token's issuer, audience and subject with the role's trust policy: "
        "aws iam get-role --role-name NAME",
        "is refused: the identity token is not accepted", LoginRejectedError,
    ),
    ErrorRule(
        _codes("ExpiredTokenException", "ExpiredToken"), Reason.EXPIRED,
        "log in again (aws sso login), or give rotator a role that renews itself",
        "is refused: the AWS session or the identity token has expired",
    ),
    _CLOCK,
    ErrorRule(
        _codes("ThrottlingException", "Throttling", "ThrottledException",
               "TooManyRequestsException", "RequestLimitExceeded", "LimitExceededException"),
        Reason.THROTTLED, _WAIT, "is throttled", TemporaryError,
    ),
    ErrorRule(
        _codes("IDPCommunicationError", "ServerException", "InternalFailure"),
        Reason.UNAVAILABLE, _DOWN_HINT, "failed on AWS's side", TemporaryError,
    ),
    ErrorRule(
        _codes("RegionDisabledException"), Reason.FORBIDDEN,
        "enable it: IAM console, account settings, STS endpoints",
        "is refused: the account has not enabled STS in this region",
    ),
    ErrorRule(
        _statuses(401, 403, 407), Reason.FORBIDDEN,
        "let this machine reach AWS, or set endpoint_url to the VPC endpoint",
        "is refused, and not in AWS's format: by a proxy or firewall?",
    ),
    ErrorRule(_statuses(429), Reason.THROTTLED, _WAIT, "is throttled", TemporaryError),
    ErrorRule(
        lambda fault: fault.status >= _SERVER_ERROR, Reason.UNAVAILABLE, _DOWN_HINT,
        "failed on AWS's side", TemporaryError,
    ),
    ErrorRule(
        _raised(sdk.ClientError), Reason.INVALID,
        "compare region, role_arn, external_id and endpoint_url with the account's",
        "is not accepted as it was asked",
    ),
    ErrorRule(
        _raised(sdk.NoCredentialsError, sdk.NoAuthTokenError), Reason.NOT_FOUND, _GIVE,
        "can't be signed: no AWS credentials are found",
    ),
    ErrorRule(
        _raised(sdk.ProfileNotFound, sdk.ConfigNotFound), Reason.NOT_FOUND,
        "see which ones there are: aws configure list-profiles (as rotator's user)",
        "can't be made: the AWS profile is not there",
    ),
    ErrorRule(
        _raised(sdk.PartialCredentialsError), Reason.FIELD_MISSING, _GIVE,
        "can't be signed: the AWS credentials are not whole",
    ),
    ErrorRule(
        _raised(sdk.SSOError, sdk.TokenRetrievalError, sdk.LoginError), Reason.LOGIN_REJECTED,
        "log in again as rotator's user: aws sso login (aws login for a console login); better, "
        "give rotator a role that renews itself",
        "can't be signed: the SSO or login session has ended", LoginRejectedError,
    ),
    ErrorRule(
        _raised(sdk.CredentialRetrievalError, sdk.MetadataRetrievalError),
        Reason.UNAVAILABLE, _ASK_AWS,
        "can't be signed: where the AWS credentials come from gives none", TemporaryError,
    ),
    ErrorRule(
        _raised(sdk.ConnectTimeoutError, sdk.ReadTimeoutError), Reason.TIMEOUT, _REACH,
        "has no answer in time", TemporaryError,
    ),
    ErrorRule(
        _raised(sdk.SSLError), Reason.UNREACHABLE,
        "set ca_file to the certificate of the proxy or endpoint that answers",
        "is not made: the server's TLS certificate is not trusted",
    ),
    ErrorRule(
        _raised(sdk.ConnectionError, sdk.HTTPClientError, sdk.IncompleteReadError),
        Reason.UNREACHABLE, _REACH, "finds nobody who answers", TemporaryError,
    ),
    ErrorRule(
        _raised(sdk.RefreshWithMFAUnsupportedError), Reason.INVALID,
        "take a profile without mfa_serial: nobody is there to type a code",
        "can't be made: the AWS profile wants a second factor",
    ),
    ErrorRule(
        _raised(
            sdk.InvalidConfigError, sdk.ConfigParseError, sdk.EndpointProviderError,
            sdk.BaseEndpointResolverError, sdk.InvalidEndpointConfigurationError,
            sdk.InvalidRetryConfigurationError, sdk.MissingDependencyException,
            sdk.ParamValidationError, sdk.InvalidIMDSEndpointError,
            sdk.InvalidIMDSEndpointModeError, sdk.InvalidSTSRegionalEndpointsConfigError,
            sdk.InvalidDefaultsMode, sdk.InvalidChecksumConfigError, sdk.InvalidProxiesConfigError,
            sdk.InvalidRegionError, sdk.ValidationError, sdk.UnknownCredentialError,
            sdk.UnknownSignatureVersionError, sdk.UnsupportedSignatureVersionError,
        ),
        Reason.INVALID, _SETTINGS, "can't be made: the AWS SDK's own settings are wrong",
    ),
)

# fmt: on


def explain(error: Exception, call: Call, now: datetime) -> DriverError:
    """Return our error for what the SDK raised; re-raise what we do not know: that is a bug."""
    answer: Mapping[str, Any] = error.response if isinstance(error, sdk.ClientError) else {}
    details = answer.get("Error", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    rule = classify(Fault(error, code, status), _RULES)
    if rule is None:
        raise error
    theirs = server_time(answer)
    if rule in (_SIGNATURE_WRONG, _CLOCK) and theirs and abs(now - theirs) > _SIGNATURE_LIFE:
        times = f"it is {now:%Y-%m-%d %H:%M:%SZ} here and {theirs:%Y-%m-%d %H:%M:%SZ} there"
        return _CLOCK.error(f"{call.name} {_CLOCK.detail}", f"{times}: {_CLOCK.hint}")
    detail = f"{call.name} {rule.detail}"
    if rule is _DENIED and (who := _ARN.search(message)):
        detail += f" to {who[0]}"
    if re.fullmatch(r"[A-Za-z]{3,64}", code):
        detail += f" ({code})"
    wait = _header(answer, "retry-after")
    hint = rule.hint.replace("{allow}", _statement(call))
    return rule.error(detail, hint, float(wait) if wait.isdecimal() else None)


def server_time(answer: Mapping[str, Any]) -> datetime | None:
    """Return the server's clock from an answer's Date header; None where it has none."""
    try:
        time = parsedate_to_datetime(_header(answer, "date"))
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _statement(call: Call) -> str:
    """Return the IAM statement that allows the call, ready to be pasted."""
    statement = {"Effect": "Allow", "Action": list(call.actions), "Resource": call.role or "*"}
    text = json.dumps(statement)
    if call.role is None:
        return text
    return f"{text}, and name the identity (and external_id) in the trust policy of {call.role}"


def _header(answer: Mapping[str, Any], name: str) -> str:
    return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(name, ""))
