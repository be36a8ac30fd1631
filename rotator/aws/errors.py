"""What AWS and its SDK answer, and what that means for a person.

The SDK's own texts are never passed on: a wrong signature's repeats the signed headers with the
session token in them, and a credential process's holds whatever the process printed.

The codes: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html and
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html#API_AssumeRole_Errors
"""

from __future__ import annotations

import json
import os
import re
import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from rotator.core.error_rules import ErrorRule, Evidence, classify, on
from rotator.core.errors import (
    DriverError,
    LoginRejectedError,
    PermanentError,
    Reason,
    TemporaryError,
)
from rotator.http.causes import NO_TLS, no_http
from rotator.http.retry_after import http_time, retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TIME = "%Y-%m-%d %H:%M:%SZ"

# A signature is good for five minutes either way.
_SIGNATURE_LIFE = timedelta(minutes=5)
_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[\w+=,.@/-]+")


# What the SDK's parser lets through when an answer does not fit its description.
UNPARSED = (
    ResponseParserError, AttributeError, LookupError, OverflowError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip


class Call(NamedTuple):
    """One call: its name for people, what IAM must allow for it, and the role it assumes."""

    name: str
    actions: tuple[str, ...]
    role: str | None = None


# fmt: off
_OFF = "the clocks are too far apart for a signature"
"""What the evidence's text is then."""

_SIGNED = {
    *("InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature"),
    *("RequestExpired", "RequestTimeTooSkewed"),
}
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

RULES = (
    ErrorRule(on(code={"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"}),
        Reason.FORBIDDEN, "allow it in the identity's IAM policy: {allow}", "{call} is denied{to}"),
    ErrorRule(on(code=_SIGNED, text=_OFF), Reason.EXPIRED,
        "{times}: set this machine's clock: timedatectl set-ntp true",
        "{call} is refused: the clocks disagree", TemporaryError),
    ErrorRule(
        on(code={"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"}),
        Reason.LOGIN_REJECTED,
        "see which one is used: aws sts get-caller-identity (a region that the account has not "
        "enabled answers this too)", "{call} is refused: AWS does not know this access key",
        LoginRejectedError),
    ErrorRule(
        on(code={"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature"}),
        Reason.LOGIN_REJECTED, f"correct the secret access key; {_LOOK}",
        "{call} is refused: the secret access key does not belong to the access key id",
        LoginRejectedError),
    ErrorRule(on(code={"InvalidIdentityToken", "IDPRejectedClaim"}), Reason.LOGIN_REJECTED,
        "compare the token's issuer, audience and subject with the role's trust policy: aws iam "
        "get-role --role-name NAME", "{call} is refused: the identity token is not accepted",
        LoginRejectedError),
    ErrorRule(on(code={"ExpiredTokenException", "ExpiredToken"}), Reason.EXPIRED,
        "log in again (aws sso login), or give rotator a role that renews itself",
        "{call} is refused: the AWS session or the identity token has expired"),
    ErrorRule(on(code={"RequestExpired", "RequestTimeTooSkewed"}), Reason.EXPIRED,
        "set this machine's clock: timedatectl set-ntp true",
        "{call} is refused: the clocks disagree", TemporaryError),
    ErrorRule(
        on(code={"ThrottlingException", "Throttling", "ThrottledException",
               "TooManyRequestsException", "RequestLimitExceeded", "LimitExceededException"}),
        Reason.THROTTLED, _WAIT, "{call} is throttled", TemporaryError,
    ),
    ErrorRule(on(code={"IDPCommunicationError", "ServerException", "InternalFailure"}),
        Reason.UNAVAILABLE, _DOWN_HINT, "{call} failed on AWS's side", TemporaryError),
    ErrorRule(on(code="RegionDisabledException"), Reason.FORBIDDEN,
        "enable it: IAM console, account settings, STS endpoints",
        "{call} is refused: the account has not enabled STS in this region"),
    ErrorRule(on(status={401, 403, 407}), Reason.FORBIDDEN,
        "let this machine reach AWS, or set endpoint_url to the VPC endpoint",
        "{call} is refused, and not in AWS's format: by a proxy or firewall?"),
    ErrorRule(on(status=429), Reason.THROTTLED, _WAIT, "{call} is throttled", TemporaryError),
    ErrorRule(on(status=range(500, 600)), Reason.UNAVAILABLE, _DOWN_HINT,
        "{call} failed on AWS's side", TemporaryError),
    ErrorRule(on(raised=sdk.ClientError), Reason.INVALID,
        "compare region, role_arn, external_id and endpoint_url with the account's",
        "{call} is not accepted as it was asked"),
    ErrorRule(on(raised=(sdk.NoCredentialsError, sdk.NoAuthTokenError)), Reason.NOT_FOUND, _GIVE,
        "{call} can't be signed: no AWS credentials are found"),
    ErrorRule(on(raised=(sdk.ProfileNotFound, sdk.ConfigNotFound)), Reason.NOT_FOUND,
        "see which ones there are: aws configure list-profiles (as rotator's user)",
        "{call} can't be made: the AWS profile is not there"),
    ErrorRule(on(raised=sdk.PartialCredentialsError), Reason.FIELD_MISSING, _GIVE,
        "{call} can't be signed: the AWS credentials are not whole"),
    ErrorRule(on(raised=(sdk.SSOError, sdk.TokenRetrievalError, sdk.LoginError)),
        Reason.LOGIN_REJECTED,
        "log in again as rotator's user: aws sso login (aws login for a console login); better, "
        "give rotator a role that renews itself",
        "{call} can't be signed: the SSO or login session has ended", LoginRejectedError),
    ErrorRule(on(raised=(sdk.CredentialRetrievalError, sdk.MetadataRetrievalError)),
        Reason.UNAVAILABLE, _ASK_AWS,
        "{call} can't be signed: where the AWS credentials come from gives none", TemporaryError),
    ErrorRule(on(raised=(sdk.ConnectTimeoutError, sdk.ReadTimeoutError)), Reason.TIMEOUT, _REACH,
        "{call} has no answer in time", TemporaryError),
    ErrorRule(on(text="no HTTP"), Reason.MALFORMED,
        "correct the endpoint_url, or see which proxy answers: it is not AWS",
        "{call} gets no answer: {odd}", TemporaryError),
    ErrorRule(on(raised=sdk.SSLError, text=NO_TLS), Reason.UNREACHABLE,
        "correct the endpoint_url (http:// where it speaks no TLS), or see which proxy answers",
        "{call} is not made: what listens there speaks no TLS"),
    ErrorRule(on(raised=sdk.SSLError), Reason.UNREACHABLE,
        "set ca_file to the certificate of the proxy or endpoint that answers",
        "{call} is not made: the server's TLS certificate is not trusted"),
    ErrorRule(on(raised=(sdk.ConnectionError, sdk.HTTPClientError, sdk.IncompleteReadError)),
        Reason.UNREACHABLE, _REACH, "{call} finds nobody who answers", TemporaryError),
    ErrorRule(on(raised=sdk.RefreshWithMFAUnsupportedError), Reason.INVALID,
        "take a profile without mfa_serial: nobody is there to type a code",
        "{call} can't be made: the AWS profile wants a second factor"),
    ErrorRule(
        on(raised=(
            sdk.InvalidConfigError, sdk.ConfigParseError, sdk.EndpointProviderError,
            sdk.BaseEndpointResolverError, sdk.InvalidEndpointConfigurationError,
            sdk.InvalidRetryConfigurationError, sdk.MissingDependencyException,
            sdk.ParamValidationError, sdk.InvalidIMDSEndpointError,
            sdk.InvalidIMDSEndpointModeError, sdk.InvalidSTSRegionalEndpointsConfigError,
            sdk.InvalidDefaultsMode, sdk.InvalidChecksumConfigError, sdk.InvalidProxiesConfigError,
            sdk.InvalidRegionError, sdk.ValidationError, sdk.UnknownCredentialError,
            sdk.UnknownSignatureVersionError, sdk.UnsupportedSignatureVersionError,
        )),
        Reason.INVALID, _SETTINGS, "{call} can't be made: the AWS SDK's own settings are wrong",
    ),
)
"""What the code in an answer means, or its status, or what the SDK raised."""

# fmt: on


def explain(
    error: Exception,
    call: Call,
    now: datetime,
    rules: Sequence[ErrorRule] = RULES,
    given: Mapping[str, str] | None = None,
) -> DriverError:
    """Return our error for what the SDK raised; raise again what no rule knows: that is a bug."""
    answer: Mapping[str, Any] = error.response if isinstance(error, sdk.ClientError) else {}
    details = answer.get("Error", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    odd, theirs, who = no_http(error), server_time(answer), _ARN.search(message)
    evidence = Evidence(
        answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0),
        code,
        _OFF if theirs and abs(now - theirs) > _SIGNATURE_LIFE else "no HTTP" if odd else "",
        code if re.fullmatch(r"[A-Za-z]{3,64}", code) else "",
        error,
        retry_after(_header(answer, "retry-after"), now, _header(answer, "date")),
    )
    # The IAM statement that allows the call, ready to be pasted.
    statement = {"Effect": "Allow", "Action": list(call.actions), "Resource": call.role or "*"}
    allow = json.dumps(statement)
    if call.role is not None:
        allow += f", and name the identity (and external_id) in the trust policy of {call.role}"
    known = {
        "call": call.name,
        "to": f" to {who[0]}" if who else "",
        "odd": odd,
        "allow": allow,
        "times": f"it is {now:{_TIME}} here and {theirs or now:{_TIME}} there",
        **(given or {}),
    }
    return classify(rules, evidence, given=known)


def time_zone_error() -> DriverError | None:
    """Return the error where this process has no local time; the SDK reads each end in it."""
    try:
        datetime.now().astimezone()
    except (ValueError, OverflowError):
        zone = os.environ.get("TZ")
        where = "/etc/localtime" if zone is None else f"TZ={shlex.quote(zone)}"
        return PermanentError(
            Reason.INVALID,
            f"the AWS SDK can't read a time: this process's time zone is no possible one ({where})",
            "set TZ to a time zone, such as TZ=UTC, and start rotator again",
        )
    return None


def malformed(what: str, key: str) -> DriverError:
    """Return the error for an answer that is not AWS's, or that the SDK can't read.

    `key`: the setting that says where the service is.
    """
    return time_zone_error() or TemporaryError(
        Reason.MALFORMED, what, f"see what answers there: is the {key} (or a proxy) really AWS's?"
    )


def server_time(answer: Mapping[str, Any]) -> datetime | None:
    """Return the server's clock from an answer's Date header; None where it has none."""
    time = http_time(_header(answer, "date"))
    return time and time.astimezone(UTC)


def _header(answer: Mapping[str, Any], name: str) -> str:
    return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(name, ""))
