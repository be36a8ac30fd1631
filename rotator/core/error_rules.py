"""From an upstream's answer to our error: a table of rules, the first that matches decides.

Each driver has one table, the most specific rule first, and calls `classify`:

    RULES = (
        ErrorRule(on(status=403, text="insufficient_scope"), Reason.FORBIDDEN, "make a new token"),
        ErrorRule(on(status=range(500, 600)), Reason.UNAVAILABLE, "wait", kind=TemporaryError),
        ErrorRule(on(raised=TimeoutError), Reason.TIMEOUT, "wait", "no answer", TemporaryError),
    )
    raise classify(RULES, Evidence(status=403, text=body, said=shown(body, secrets)), "GET /x: ")
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence

from msgspec import Struct

from rotator.core.errors import (
    ConflictError,
    DriverError,
    LoginRejectedError,
    PermanentError,
    Reason,
    TemporaryError,
)


class Evidence(Struct, frozen=True):
    """What is known of a call that failed: an answer, or an exception where none came.

    `status`: of HTTP, 0 without an answer. `code`: one word that rules compare: the error code in
    the answer's body, whose format the answer has, what was being done. `text`: what rules search,
    as the server sent it; it is never shown. `said`: the server's own sentence, made fit to be
    shown. `retry_after`: the seconds that the server asks us to wait.
    """

    status: int = 0
    code: str = ""
    text: str = ""
    said: str = ""
    error: BaseException | None = None
    retry_after: float | None = None


Matches = Callable[[Evidence], bool]


class ErrorRule(Struct, frozen=True):
    """What an answer means, where it matches.

    `hint` says what to do, `detail` what happened. Both may name, in braces, what `classify` is
    given. `kind` says whether waiting helps, and more (see `rotator.core.errors`). A
    `ConflictError` has a reason and a hint of its own, a `LoginRejectedError` a reason.
    """

    matches: Matches
    reason: Reason
    hint: str
    detail: str = ""
    kind: type[DriverError] = PermanentError


def on(
    *,
    status: int | Container[int] | None = None,
    code: str | Container[str] | None = None,
    text: str | None = None,
    raised: type[BaseException] | tuple[type[BaseException], ...] | None = None,
    errno: int | Container[int] | None = None,
) -> Matches:
    """Return the condition that everything given holds.

    `text`: a regular expression, found in the evidence's text whatever the letters' case; where
    there is no answer, in the exception's. `raised`: the exception is of this type. `errno`: it is
    an `OSError` of this number.
    """

    def matches(evidence: Evidence) -> bool:
        error = evidence.error
        number = error.errno if isinstance(error, OSError) else None
        return (
            (status is None or _is_one_of(evidence.status, status))
            and (code is None or _is_one_of(evidence.code, code))
            and (raised is None or isinstance(error, raised))
            and (errno is None or _is_one_of(number, errno))
            # `re` compiles it at its first use: most runs search for none of a table's dozens.
            and (
                text is None
                or re.search(text, evidence.text or str(error or ""), re.IGNORECASE) is not None
            )
        )

    return matches


def classify(
    rules: Sequence[ErrorRule],
    evidence: Evidence,
    what: str = "",
    given: Mapping[str, object] | None = None,
) -> DriverError:
    """Return the error that the first matching rule describes.

    Its detail is `what`, the rule's detail, and in parentheses what the server said. `given`: what
    rules may name in braces. Raises the evidence's own exception where no rule matches, or
    `LookupError` where there is none: that is a bug.
    """
    rule = next((rule for rule in rules if rule.matches(evidence)), None)
    if rule is None:
        raise evidence.error or LookupError(f"no rule for {evidence.status} {evidence.code}")
    said = f" ({evidence.said})" if evidence.said else ""
    detail = f"{what}{rule.detail.format_map(given or {})}{said}"
    hint = rule.hint.format_map(given or {})
    if issubclass(rule.kind, ConflictError):
        return rule.kind(detail)
    if issubclass(rule.kind, LoginRejectedError):
        return rule.kind(detail, hint)
    if issubclass(rule.kind, TemporaryError):
        return rule.kind(rule.reason, detail, hint, retry_after=evidence.retry_after)
    return rule.kind(rule.reason, detail, hint)


def _is_one_of(value: object, wanted: object) -> bool:
    if isinstance(wanted, int | str):
        return value == wanted
    return isinstance(wanted, Container) and value in wanted
