"""What AWS and its SDK answer, and what that means for a person.

The SDK's own texts are never passed on: a wrong signature's repeats the signed headers with the
session token in them, and a credential process's holds whatever the process printed.

The codes: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html and
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html#API_AssumeRole_Errors
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore import exceptions as sdk

from rotator.core.errors import (
    DriverError,
    LoginRejectedError,
    PermanentError,
    Reason,
    TemporaryError,
)
from rotator.http.retry_after import retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

# A signature is good for five minutes either way.
_SIGNATURE_LIFE = timedelta(minutes=5)
_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[\w+=,.@/-]+")
_SERVER_ERROR = 500


class Call(NamedTuple):
    """One call: its name for people, what IAM must allow for it, and the role it assumes."""

    name: str
    actions: tuple[str, ...]
    role: str | None = None


class _Meaning(NamedTuple):
    """What an answer means; the texts may use {actions}, {role} and {call}."""

    kind: type[TemporaryError | PermanentError]
    reason: Reason
    detail: str
    hint: str


_DENIED = _Meaning(
    PermanentError, Reason.FORBIDDEN, "is denied", "allow it in the identity's IAM policy: {allow}"
)
_KEY_UNKNOWN = _Meaning(
    LoginRejectedError,
    Reason.LOGIN_REJECTED,
    "is refused: AWS does not know this access key",
    "see which one is used: aws sts get-caller-identity (a region that the account has not "
    "enabled answers this too)",
)
_SIGNATURE_WRONG = _Meaning(
    LoginRejectedError,
    Reason.LOGIN_REJECTED,
    "is refused: the secret access key does not belong to the access key id",
    "correct the secret access key; see which identity is used: aws sts get-caller-identity",
)
_TOKEN_REFUSED = _Meaning(
    LoginRejectedError,
    Reason.LOGIN_REJECTED,
    "is refused: the identity token is not accepted",
    "compare the token's issuer, audience and subject with the role's trust policy: "
    "aws iam get-role --role-name NAME",
)
_SESSION_ENDED = _Meaning(
    PermanentError,
    Reason.EXPIRED,
    "is refused: the AWS session or the identity token has expired",
    "log in again (aws sso login), or give rotator a role that renews itself",
)
_CLOCK = _Meaning(
    TemporaryError,
    Reason.EXPIRED,
    "is refused: the clocks disagree",
    "set this machine's clock: timedatectl set-ntp true",
)
_THROTTLED = _Meaning(
    TemporaryError,
    Reason.THROTTLED,
    "is throttled",
    "nothing to do: it is asked again; if this stays, find what else calls it so often",
)
_DOWN = _Meaning(
    TemporaryError,
    Reason.UNAVAILABLE,
    "failed on AWS's side",
    "nothing to do: it is asked again; https://health.aws.amazon.com tells of outages",
)
_INVALID = _Meaning(
    PermanentError,
    Reason.INVALID,
    "is not accepted as it was asked",
    "compare region, role_arn, external_id and endpoint_url with the account's",
)
_NOT_AWS = _Meaning(
    PermanentError,
    Reason.FORBIDDEN,
    "is refused, and not in AWS's words: by a proxy or firewall?",
    "let this machine reach AWS, or set endpoint_url to the VPC endpoint",
)
_NO_KEYS = _Meaning(
    PermanentError,
    Reason.NOT_FOUND,
    "can't be signed: no AWS credentials are found",
    "give the process AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, a role of the "
    "instance or the pod, or web_identity_token_file; see what is found: "
    "aws sts get-caller-identity",
)
_CONFIG = _Meaning(
    PermanentError,
    Reason.INVALID,
    "can't be made: the AWS SDK's own settings are wrong",
    "look at ~/.aws/config and the AWS_ variables of the process: aws configure list",
)
_UNREACHABLE = _Meaning(
    TemporaryError,
    Reason.UNREACHABLE,
    "finds nobody who answers",
    "check name resolution and the way out (proxy, firewall, VPC endpoint), and the region's name",
)

_CODES: Mapping[str, _Meaning] = {
    **dict.fromkeys(("AccessDeniedException", "AccessDenied", "UnauthorizedOperation"), _DENIED),
    **dict.fromkeys(
        ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"), _KEY_UNKNOWN
    ),
    **dict.fromkeys(
        ("InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature"),
        _SIGNATURE_WRONG,
    ),
    **dict.fromkeys(("InvalidIdentityToken", "IDPRejectedClaim"), _TOKEN_REFUSED),
    **dict.fromkeys(("ExpiredTokenException", "ExpiredToken"), _SESSION_ENDED),
    **dict.fromkeys(("RequestExpired", "RequestTimeTooSkewed"), _CLOCK),
    **dict.fromkeys(
        (
            "ThrottlingException",
            "Throttling",
            "ThrottledException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "LimitExceededException",
        ),
        _THROTTLED,
    ),
    **dict.fromkeys(("IDPCommunicationError", "ServerException", "InternalFailure"), _DOWN),
    "RegionDisabledException": _Meaning(
        PermanentError,
        Reason.FORBIDDEN,
        "is refused: the account has not enabled STS in this region",
        "enable it: IAM console, account settings, STS endpoints",
    ),
}
_STATUSES: Mapping[int, _Meaning] = {401: _NOT_AWS, 403: _NOT_AWS, 407: _NOT_AWS, 429: _THROTTLED}

_EXCEPTIONS: tuple[tuple[tuple[type[Exception], ...], _Meaning], ...] = (
    ((sdk.NoCredentialsError, sdk.NoAuthTokenError), _NO_KEYS),
    (
        (sdk.ProfileNotFound, sdk.ConfigNotFound),
        _NO_KEYS._replace(
            detail="can't be made: the AWS profile is not there",
            hint="see which ones there are: aws configure list-profiles (as rotator's user)",
        ),
    ),
    (
        (sdk.PartialCredentialsError,),
        _NO_KEYS._replace(
            reason=Reason.FIELD_MISSING, detail="can't be signed: the AWS credentials are not whole"
        ),
    ),
    ((sdk.SSOError, sdk.TokenRetrievalError, sdk.LoginError), _SESSION_ENDED),
    (
        (sdk.CredentialRetrievalError, sdk.MetadataRetrievalError),
        _Meaning(
            TemporaryError,
            Reason.UNAVAILABLE,
            "can't be signed: where the AWS credentials come from gives none",
            "ask it by hand, as rotator's user: aws sts get-caller-identity",
        ),
    ),
    (
        (sdk.ConnectTimeoutError, sdk.ReadTimeoutError),
        _UNREACHABLE._replace(reason=Reason.TIMEOUT, detail="is not answered in time"),
    ),
    (
        (sdk.SSLError,),
        _Meaning(
            PermanentError,
            Reason.UNREACHABLE,
            "is not made: the server's TLS certificate is not trusted",
            "set ca_file to the certificate of the proxy or endpoint that answers",
        ),
    ),
    ((sdk.ConnectionError, sdk.HTTPClientError, sdk.IncompleteReadError), _UNREACHABLE),
    (
        (
            sdk.InvalidConfigError,
            sdk.ConfigParseError,
            sdk.EndpointProviderError,
            sdk.BaseEndpointResolverError,
            sdk.InvalidEndpointConfigurationError,
            sdk.InvalidRetryConfigurationError,
            sdk.MissingDependencyException,
            sdk.RefreshWithMFAUnsupportedError,
            sdk.ParamValidationError,
        ),
        _CONFIG,
    ),
)


def explain(error: Exception, call: Call, now: datetime) -> DriverError:
    """Return our error for what the SDK raised; re-raise what we do not know: that is a bug."""
    if isinstance(error, sdk.ClientError):
        return _answered(error, call, now)
    for kinds, meaning in _EXCEPTIONS:
        if isinstance(error, kinds):
            return _error(meaning, call)
    raise error


def server_time(answer: Mapping[str, Any]) -> datetime | None:
    """Return the server's clock as an answer's Date header tells it; None where it does not."""
    try:
        told = parsedate_to_datetime(_header(answer, "date"))
        return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _answered(error: sdk.ClientError, call: Call, now: datetime) -> DriverError:
    answer = error.response
    told = answer.get("Error", {})
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    meaning = _CODES.get(code) or _STATUSES.get(status)
    if meaning is None:
        meaning = _DOWN if status >= _SERVER_ERROR else _INVALID
    theirs = server_time(answer)
    if meaning in (_SIGNATURE_WRONG, _CLOCK) and theirs and abs(now - theirs) > _SIGNATURE_LIFE:
        times = f"it is {now:%Y-%m-%d %H:%M:%SZ} here and {theirs:%Y-%m-%d %H:%M:%SZ} there"
        return _error(_CLOCK._replace(hint=f"{times}: {_CLOCK.hint}"), call)
    if meaning is _DENIED and (who := _ARN.search(message)):
        meaning = meaning._replace(detail=f"is denied to {who[0]}")
    wait = retry_after(_header(answer, "retry-after"), now, _header(answer, "date"))
    return _error(meaning, call, code, wait)


def _error(
    meaning: _Meaning, call: Call, code: str = "", retry_after: float | None = None
) -> DriverError:
    detail = f"{call.name} {meaning.detail}"
    if re.fullmatch(r"[A-Za-z]{3,64}", code):
        detail += f" ({code})"
    hint = meaning.hint.replace("{allow}", _statement(call))
    if issubclass(meaning.kind, LoginRejectedError):
        return LoginRejectedError(detail, hint)
    if issubclass(meaning.kind, TemporaryError):
        return TemporaryError(meaning.reason, detail, hint, retry_after=retry_after)
    return PermanentError(meaning.reason, detail, hint)


def _statement(call: Call) -> str:
    """Return the IAM statement that allows the call, ready to be pasted."""
    statement = {"Effect": "Allow", "Action": list(call.actions), "Resource": call.role or "*"}
    text = json.dumps(statement)
    if call.role is None:
        return text
    return f"{text}, and name the identity (and external_id) in the trust policy of {call.role}"


def _header(answer: Mapping[str, Any], name: str) -> str:
    return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(name, ""))
