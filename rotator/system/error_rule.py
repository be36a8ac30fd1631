"""The one shape in which a driver says what an upstream's answer means.

A driver has a table of rules, most specific first; `classify` returns the first that fits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec import Struct

from rotator.core.errors import (
    DriverError,
    LoginRejectedError,
    PermanentError,
    Reason,
    TemporaryError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Answer = TypeVar("Answer")


class ErrorRule(Struct, Generic[Answer], frozen=True):
    """What an answer means, if `matches` says that it is one of these.

    `detail` says what happened, `hint` what to do. `kind` says whether waiting helps. `soon`: the
    upstream is likely to answer within seconds, so it is asked again within the same call.
    """

    matches: Callable[[Answer], bool]
    reason: Reason
    hint: str
    detail: str = ""
    kind: type[TemporaryError | PermanentError] = PermanentError
    soon: bool = False

    def error(self, detail: str, hint: str = "", retry_after: float | None = None) -> DriverError:
        """Return the error with this sentence; `hint`: what to do, where it is not the rule's."""
        hint = hint or self.hint
        if issubclass(self.kind, LoginRejectedError):
            return self.kind(detail, hint)
        if issubclass(self.kind, TemporaryError):
            return self.kind(self.reason, detail, hint, retry_after=retry_after)
        return self.kind(self.reason, detail, hint)


def classify(answer: Answer, rules: Iterable[ErrorRule[Answer]]) -> ErrorRule[Answer] | None:
    """Return the first rule that fits; None where none does."""
    return next((rule for rule in rules if rule.matches(answer)), None)
