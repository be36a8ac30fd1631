"""Where a bug happened, without the values in an exception's message: one may be a secret."""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import FilteringBoundLogger

# Their messages are about code. Those of `int(text)` and `found[key]` repeat a value.
_ABOUT_CODE = (AttributeError, ImportError, NameError, RecursionError, TypeError)


def without_values(error: BaseException) -> str:
    """Return the traceback of an error and of those that it came from, the first one first."""
    return "\n".join(
        line.rstrip()
        for one in reversed(list(_chain(error)))
        for line in (*traceback.format_tb(one.__traceback__), _named(one))
    )


def log_from_threads(log: FilteringBoundLogger) -> None:
    """Log it when a thread ends by a bug; the interpreter would print the error's message."""
    threading.excepthook = lambda ended: log.error(
        "a thread ended: this is a bug in rotator", exc_info=ended.exc_value
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    passed: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in passed:
        passed.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _named(error: BaseException) -> str:
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    if isinstance(error, OSError) and kind.__module__ == "builtins":
        return f"{name}: {error.strerror}"
    return f"{name}: {error}" if kind in _ABOUT_CODE else name
