"""What went wrong: the one shape in which a failure is reported, recorded and logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core.errors import DriverError, GoneError, PermanentError, Reason, TemporaryError

if TYPE_CHECKING:
    from rotator.core.record import FailureRecord


class Failure(Struct, frozen=True):
    """Why something failed: the reason's one word, what happened, and what to do.

    `permanent`: waiting does not help. `retry_after`: the seconds that the server asked us to
    wait. `gone`: the target's document is there no more. `bug`: the exception that nobody meant to
    raise, with its traceback.
    """

    reason: Reason
    detail: str
    hint: str
    permanent: bool = False
    retry_after: float | None = None
    gone: bool = False
    bug: Exception | None = None

    @classmethod
    def recorded(cls, record: FailureRecord) -> Failure:
        """Return the failure of an earlier cycle, as the journal has it."""
        return cls(Reason(record.reason), record.detail, record.hint, record.permanent)

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Return the failure that an error describes; an error nobody meant to raise is a bug."""
        if isinstance(error, DriverError):
            retry_after = error.retry_after if isinstance(error, TemporaryError) else None
            permanent = isinstance(error, PermanentError)
            gone = isinstance(error, GoneError)
            return cls(error.reason, error.detail, error.hint, permanent, retry_after, gone)
        return cls(
            Reason.BUG,
            f"rotator itself failed with {type(error).__name__}",
            "report this with the traceback from the log",
            bug=error,
        )

    @property
    def leaves_document(self) -> bool:
        """Tell whether a target that failed so goes on holding what jobs read.

        It does where only we can't reach it: waiting may help, or our login or our rights are
        what is missing.
        """
        ours = self.reason in {Reason.LOGIN_REJECTED, Reason.FORBIDDEN}
        return not self.gone and (ours or not (self.permanent or self.reason is Reason.BUG))
