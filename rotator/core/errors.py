"""The errors of `rotator`, and what each means for the next cycle.

RotatorError
├── ConfigError          the configuration is wrong; all problems at once; exit code 2
├── LockHeldError        another rotator holds the lock; exit code 75
└── DriverError          a source, registry or target could not do its one thing
    ├── TemporaryError   waiting helps: tried again soon, no sooner than `retry_after`
    │   └── ConflictError    somebody wrote the target since it was read: read and merge again
    └── PermanentError   a person has to act: tried again slowly and loudly, without end
        ├── GoneError            something else stands where our document was: jobs can't read it
        └── LoginRejectedError   the login secret is wrong: not offered again until it changes

Drivers raise these and nothing else on purpose; any other exception that leaves a driver is a bug
and is reported as one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reason(StrEnum):
    """Why something failed, in one word: the closed list that logs, metrics and JSON use."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    LOGIN_REJECTED = "login_rejected"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    DELETED = "deleted"
    FIELD_MISSING = "field_missing"
    MALFORMED = "malformed"
    EXPIRED = "expired"
    REJECTED = "rejected"
    TOO_LARGE = "too_large"
    INVALID = "invalid"
    IMMUTABLE = "immutable"
    CONFLICT = "conflict"
    UNREADABLE = "unreadable"
    NO_SPACE = "no_space"
    READ_ONLY = "read_only"
    UNSAFE_PATH = "unsafe_path"
    MOUNT_POINT = "mount_point"
    NO_CYCLE = "no_cycle"
    OVERDUE = "overdue"
    SHORT_LIVED = "short_lived"
    TAKEN_OUT = "taken_out"
    BUG = "bug"


class RotatorError(Exception):
    """Everything that `rotator` raises on purpose."""


class ConfigError(RotatorError):
    """The configuration is wrong.

    `problems` holds one line a problem, each `FILE:LINE:COLUMN: what is wrong; what to write`.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class LockHeldError(RotatorError):
    """Another process holds the lock; the message says which lock and, where known, who."""


class DriverError(RotatorError):
    """A source, registry or target failed.

    `reason` is one word of the closed list; `detail` says what happened and where, in a sentence
    without a secret; `hint` says what to do, with the command to type where there is one.
    """

    def __init__(self, reason: Reason, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.hint = hint


class TemporaryError(DriverError):
    """Waiting helps. `retry_after`: the seconds that the other side asked us to wait, if it did."""

    def __init__(
        self, reason: Reason, detail: str, hint: str, *, retry_after: float | None = None
    ) -> None:
        super().__init__(reason, detail, hint)
        self.retry_after = retry_after


class ConflictError(TemporaryError):
    """The target changed between our read and our write; nothing was written."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            Reason.CONFLICT,
            detail,
            "nothing to do: it is read and merged again; if this stays, find who else writes it",
        )


class PermanentError(DriverError):
    """Waiting does not help: a person has to correct something. It is retried slowly."""


class GoneError(PermanentError):
    """Something else stands in the target's place, so that no job reads what we published there.

    Where a target only can't be asked, jobs go on reading it: that is any other error.
    """


class LoginRejectedError(PermanentError):
    """The server refused the login secret itself (not what it may do).

    Offering it again can do harm (five wrong AppRole secret ids lock the role for everybody), so
    it is not offered again for 20 minutes unless `Source.login_stamp` changes.
    """

    def __init__(self, detail: str, hint: str) -> None:
        # A correction on the server changes nothing here that rotator could notice.
        again = "; a new login is tried at once, this one in 20 minutes or with: rotator run-once"
        super().__init__(Reason.LOGIN_REJECTED, detail, f"{hint}{again}")
