"""The table from an answer to an error."""

from __future__ import annotations

import errno

import pytest

from rotator.core.error_rules import ErrorRule, Evidence, classify, on
from rotator.core.errors import (
    ConflictError,
    GoneError,
    LoginRejectedError,
    PermanentError,
    Reason,
    TemporaryError,
)

RULES = (
    ErrorRule(on(status=401), Reason.LOGIN_REJECTED, "correct {file}", kind=LoginRejectedError),
    ErrorRule(
        on(status=403, text="scope"), Reason.FORBIDDEN, "add {{scope}}", ": no scope {scope}"
    ),
    ErrorRule(on(status=403), Reason.FORBIDDEN, "ask"),
    ErrorRule(on(status=409), Reason.CONFLICT, "", ": changed", ConflictError),
    ErrorRule(on(status=range(500, 600)), Reason.UNAVAILABLE, "wait", kind=TemporaryError),
    ErrorRule(on(code=("Throttled", "Slow")), Reason.THROTTLED, "wait", kind=TemporaryError),
    ErrorRule(on(raised=TimeoutError), Reason.TIMEOUT, "wait", ": no answer", TemporaryError),
    ErrorRule(on(errno={errno.ENOSPC}), Reason.NO_SPACE, "make room"),
    ErrorRule(on(raised=(KeyError, OSError), text="gone"), Reason.UNREADABLE, "see", "", GoneError),
)
GIVEN = {"file": "token.txt", "scope": "api"}


@pytest.mark.parametrize(
    ("evidence", "kind", "reason", "detail", "hint"),
    [
        (Evidence(401), LoginRejectedError, "login_rejected", "GET /x", "correct token.txt"),
        (
            Evidence(403, text="Insufficient SCOPE", said="403: too narrow"),
            PermanentError,
            "forbidden",
            "GET /x: no scope api (403: too narrow)",
            "add {scope}",
        ),
        (Evidence(403, text="other"), PermanentError, "forbidden", "GET /x", "ask"),
        (Evidence(409), ConflictError, "conflict", "GET /x: changed", "nothing to do"),
        (Evidence(599), TemporaryError, "unavailable", "GET /x", "wait"),
        (Evidence(400, "Slow"), TemporaryError, "throttled", "GET /x", "wait"),
        (Evidence(error=TimeoutError()), TemporaryError, "timeout", "GET /x: no answer", "wait"),
        (Evidence(error=OSError(28, "x")), PermanentError, "no_space", "GET /x", "make room"),
        (Evidence(error=OSError(1, "Gone")), GoneError, "unreadable", "GET /x", "see"),
    ],
)
def test_first_match(
    evidence: Evidence, kind: type[Exception], reason: str, detail: str, hint: str
) -> None:
    """The first rule that matches decides all of the error."""
    error = classify(RULES, evidence, "GET /x", GIVEN)
    assert type(error) is kind
    assert (error.reason, error.detail) == (reason, detail)
    assert error.hint.startswith(hint)


def test_the_wait_that_a_server_asks_for() -> None:
    """Only a temporary error carries it."""
    error = classify(RULES, Evidence(503, retry_after=7.0))
    assert isinstance(error, TemporaryError)
    assert (error.detail, error.retry_after) == ("", 7.0)


def test_no_rule() -> None:
    """What no rule is for is a bug, and keeps its exception."""
    mistake = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        classify(RULES, Evidence(error=mistake))
    with pytest.raises(LookupError):
        classify(RULES, Evidence(418))
