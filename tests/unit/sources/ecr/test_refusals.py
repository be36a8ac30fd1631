"""What AWS refuses, and what the hint says to do; the policy of the hints is enough."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore import exceptions as sdk

from rotator.aws.errors import Call, explain
from rotator.config.sources import EcrPublicSourceSettings
from rotator.core.errors import (
    DriverError,
    LoginRejectedError,
    PermanentError,
    Reason,
    TemporaryError,
)
from rotator.sources.ecr import build
from tests.fakes.ecr import FakeEcr, denied
from tests.fakes.sigv4 import RefusalError
from tests.support import NOW
from tests.unit.sources.ecr.endpoint import error_of, now, source

CALL = Call("GetAuthorizationToken of ecr in eu-west-1", ("ecr:GetAuthorizationToken",))

TEMPORARY, PERMANENT, LOGIN = TemporaryError, PermanentError, LoginRejectedError


def test_public_denied_names_both_actions(fake: FakeEcr) -> None:
    """ECR Public needs two actions, and the hint has both, ready to be pasted."""
    fake.trouble = denied("ecr-public:GetAuthorizationToken")
    error = error_of(build(EcrPublicSourceSettings(name="public", endpoint_url=fake.url), now))
    assert "ecr-public:GetAuthorizationToken" in error.hint
    assert "sts:GetServiceBearerToken" in error.hint


def test_retry_after(fake: FakeEcr) -> None:
    """What AWS asks to wait is kept."""
    fake.trouble = RefusalError("ThrottlingException", headers={"Retry-After": "7"})
    error = error_of(source(fake))
    assert isinstance(error, TemporaryError)
    assert error.retry_after == 7


def test_denied_says_who_and_what_to_allow(fake: FakeEcr) -> None:
    """A denial names the identity, and the hint is a statement of a policy."""
    fake.trouble = denied()
    error = error_of(source(fake))
    assert "arn:aws:sts::123456789012:assumed-role/ci/rotator" in error.detail
    statement = json.loads(error.hint.partition(": ")[2])
    assert statement == {
        "Effect": "Allow",
        "Action": ["ecr:GetAuthorizationToken"],
        "Resource": "*",
    }


CODES: dict[str, tuple[int, type[DriverError], Reason]] = {
    "AccessDeniedException": (400, PERMANENT, Reason.FORBIDDEN),
    "UnrecognizedClientException": (400, LOGIN, Reason.LOGIN_REJECTED),
    "InvalidClientTokenId": (403, LOGIN, Reason.LOGIN_REJECTED),
    "InvalidSignatureException": (400, LOGIN, Reason.LOGIN_REJECTED),
    "SignatureDoesNotMatch": (403, LOGIN, Reason.LOGIN_REJECTED),
    "InvalidIdentityToken": (400, LOGIN, Reason.LOGIN_REJECTED),
    "ExpiredTokenException": (400, PERMANENT, Reason.EXPIRED),
    "RequestExpired": (400, TEMPORARY, Reason.EXPIRED),
    "ThrottlingException": (400, TEMPORARY, Reason.THROTTLED),
    "TooManyRequestsException": (429, TEMPORARY, Reason.THROTTLED),
    "ServerException": (500, TEMPORARY, Reason.UNAVAILABLE),
    "InternalFailure": (500, TEMPORARY, Reason.UNAVAILABLE),
    "RegionDisabledException": (403, PERMANENT, Reason.FORBIDDEN),
    "InvalidParameterException": (400, PERMANENT, Reason.INVALID),
    "SomethingNew": (400, PERMANENT, Reason.INVALID),
    "SomethingNewAndDown": (503, TEMPORARY, Reason.UNAVAILABLE),
    "403": (403, PERMANENT, Reason.FORBIDDEN),
    "407": (407, PERMANENT, Reason.FORBIDDEN),
    "429": (429, TEMPORARY, Reason.THROTTLED),
}


@pytest.mark.parametrize(("code", "expected"), CODES.items(), ids=CODES)
def test_codes(code: str, expected: tuple[int, type[DriverError], Reason]) -> None:
    """Each of AWS's codes has its reason, a hint, and nothing of AWS's own text."""
    status, kind, reason = expected
    answer = {
        "Error": {"Code": code, "Message": "canonical: s3cr3t-session-token"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
    }
    error = explain(sdk.ClientError(answer, "GetAuthorizationToken"), CALL, NOW)
    assert (type(error), error.reason) == (kind, reason)
    assert error.detail.startswith(CALL.name)
    assert error.hint
    assert "s3cr3t-" not in error.detail + error.hint


EXCEPTIONS: dict[str, tuple[Exception, type[DriverError], Reason]] = {
    "no keys": (sdk.NoCredentialsError(), PERMANENT, Reason.NOT_FOUND),
    "no profile": (sdk.ProfileNotFound(profile="x"), PERMANENT, Reason.NOT_FOUND),
    "half a key": (sdk.PartialCredentialsError(provider="env", cred_var="x"), PERMANENT,
        Reason.FIELD_MISSING),
    "SSO over": (sdk.UnauthorizedSSOTokenError(), LOGIN, Reason.LOGIN_REJECTED),
    "SSO token gone": (sdk.SSOTokenLoadError(error_msg="x"), LOGIN, Reason.LOGIN_REJECTED),
    "a process that fails": (
        sdk.CredentialRetrievalError(provider="process", error_msg="s3cr3t-stderr"), TEMPORARY,
        Reason.UNAVAILABLE),
    "nobody there": (sdk.EndpointConnectionError(endpoint_url="x"), TEMPORARY, Reason.UNREACHABLE),
    "the proxy": (sdk.ProxyConnectionError(proxy_url="http://u:s3cr3t-p@x"), TEMPORARY,
        Reason.UNREACHABLE),
    "hung up": (sdk.ConnectionClosedError(endpoint_url="x"), TEMPORARY, Reason.UNREACHABLE),
    "no connection": (sdk.ConnectTimeoutError(endpoint_url="x"), TEMPORARY, Reason.TIMEOUT),
    "no answer": (sdk.ReadTimeoutError(endpoint_url="x"), TEMPORARY, Reason.TIMEOUT),
    "TLS": (sdk.SSLError(endpoint_url="x", error="y"), PERMANENT, Reason.UNREACHABLE),
    "settings": (sdk.InvalidConfigError(error_msg="x"), PERMANENT, Reason.INVALID),
    "FIPS with an endpoint": (sdk.EndpointProviderError(msg="x"), PERMANENT, Reason.INVALID),
    "wants a second factor": (sdk.RefreshWithMFAUnsupportedError(), PERMANENT, Reason.INVALID),
}  # fmt: skip


@pytest.mark.parametrize(("raised", "kind", "reason"), EXCEPTIONS.values(), ids=EXCEPTIONS)
def test_exceptions(raised: Exception, kind: type[DriverError], reason: Reason) -> None:
    """Each of the SDK's exceptions has its reason, a hint, and nothing of the SDK's own text."""
    error = explain(raised, CALL, NOW)
    assert (type(error), error.reason) == (kind, reason)
    assert error.hint
    assert "s3cr3t-" not in error.detail + error.hint


def test_unknown_exceptions_are_bugs() -> None:
    """What nobody knows passes as it is, to be reported as a bug."""
    with pytest.raises(sdk.MD5UnavailableError):
        explain(sdk.MD5UnavailableError(), CALL, NOW)


def test_the_policy_is_exactly_enough() -> None:
    """The IAM policy in deploy/ allows what the hints ask for, and pulling, and nothing else."""
    policy = json.loads(
        (Path(__file__).parents[4] / "deploy/policies/iam-policy.json").read_text("utf-8")
    )
    allowed: set[str] = set()
    for statement in policy["Statement"]:
        actions = statement["Action"]
        allowed |= {actions} if isinstance(actions, str) else set(actions)
    assert allowed == {
        "ecr:GetAuthorizationToken",
        "ecr-public:GetAuthorizationToken",
        "sts:GetServiceBearerToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
    }
