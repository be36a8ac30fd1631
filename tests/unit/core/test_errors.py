"""Errors say whether waiting helps, and carry what a person needs."""

from __future__ import annotations

import pytest

from rotator.core.errors import (
    ConfigError,
    ConflictError,
    DriverError,
    LockHeldError,
    LoginRejectedError,
    PermanentError,
    Reason,
    RotatorError,
    TemporaryError,
)
from rotator.core.failure import Failure

WAITS = TemporaryError(Reason.THROTTLED, "429 from vault", "wait", retry_after=7)


@pytest.mark.parametrize(
    ("error", "reason", "permanent", "retry_after"),
    [
        (WAITS, Reason.THROTTLED, False, 7),
        (TemporaryError(Reason.TIMEOUT, "slow", "look"), Reason.TIMEOUT, False, None),
        (ConflictError("changed"), Reason.CONFLICT, False, None),
        (PermanentError(Reason.FORBIDDEN, "403", "ask"), Reason.FORBIDDEN, True, None),
        (LoginRejectedError("403", "renew it"), Reason.LOGIN_REJECTED, True, None),
    ],
)
def test_an_error_says_whether_waiting_helps(
    *,
    error: DriverError,
    reason: Reason,
    permanent: bool,
    retry_after: float | None,
) -> None:
    """Reason, detail and hint reach the report as the driver wrote them."""
    problem = Failure.of(error)
    assert problem == Failure(reason, error.detail, error.hint, permanent, retry_after)
    assert str(error) == error.detail
    assert error.hint


def test_an_error_that_nobody_meant_is_a_bug() -> None:
    """It waits as if it were temporary, keeps the exception, and quotes nothing of it."""
    error = ValueError("s3cr3t-in-a-message")
    problem = Failure.of(error)
    assert (problem.reason, problem.permanent, problem.bug) == (Reason.BUG, False, error)
    assert "ValueError" in problem.detail
    assert "s3cr3t" not in problem.detail + problem.hint


def test_all_problems_of_a_configuration_are_reported_at_once() -> None:
    """One line a problem."""
    error = ConfigError(["a.yaml:1:1: no", "a.yaml:2:1: no"])
    assert str(error).splitlines() == list(error.problems)


@pytest.mark.parametrize("kind", [ConfigError, LockHeldError, DriverError])
def test_every_error_meant_has_one_root(kind: type[Exception]) -> None:
    """The command line tells them from bugs by it."""
    assert issubclass(kind, RotatorError)


def test_reasons_are_the_closed_list() -> None:
    """Logs, metrics and JSON use these words and no others."""
    words = (
        "unreachable timeout throttled unavailable login_rejected forbidden not_found deleted "
        "field_missing malformed expired rejected too_large invalid immutable conflict unreadable "
        "no_space read_only unsafe_path mount_point no_cycle overdue short_lived taken_out bug"
    )
    assert " ".join(Reason) == words
