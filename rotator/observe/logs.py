"""The log: one line an event, in plain sentences, and never a secret.

Readable lines on a terminal and in systemd's journal, JSON elsewhere; always to standard error, as
standard output is for answers.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from rotator.config.typed import DEFAULT_FILE, completed
from rotator.observe.journald import SOCKET, JournaldLogger, as_event, is_journal, with_priority
from rotator.observe.lean_structlog import structlog
from rotator.observe.log_line import terminal_line
from rotator.system.standard_streams import StandardStream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

    from structlog.typing import FilteringBoundLogger

    from rotator.config.schema import LogSettings

# Their messages are about code. Those of `int(text)` and `found[key]` repeat a value.
_ABOUT_CODE = (AttributeError, ImportError, NameError, RecursionError, TypeError)
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

# urllib3: `http://host:80 "GET /path HTTP/1.1" 200 None`.
_REQUEST = re.compile(r'("[A-Z]+ \S+ HTTP/[0-9.]+" [0-9]{3})')
_QUERY = re.compile(r"\?[^\s\"]*")


def configure(
    settings: LogSettings, journal: Path = SOCKET, file: Path = DEFAULT_FILE
) -> FilteringBoundLogger:
    """Return the log that the settings describe.

    `journal`: the socket of systemd's journal. `file`: the configuration, for commands to type.
    """
    stream = sys.stderr
    logger: Any = structlog.PrintLogger(stream)
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # The default formatters print local variables or an error's own text: secrets, too.
        structlog.processors.ExceptionRenderer(lambda about: without_values(about[1])),
        lambda _, __, event: completed(event, file),
    ]
    in_journal = is_journal(stream, os.environ)
    if in_journal and settings.format == "auto" and journal.is_socket():
        logger = JournaldLogger(stream, journal)
        processors.append(as_event)
    else:
        processors.append(lambda _, __, event: _with_lost(stream, event))
        processors.append(_renderer(settings.format, terminal=stream.isatty()))
        if in_journal:
            processors.append(lambda _, level, line: with_priority(line, level))
    # What libraries log by themselves can hold signed headers; without a handler it is printed.
    logging.getLogger().addHandler(logging.NullHandler())
    log: FilteringBoundLogger = structlog.wrap_logger(
        logger,
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
    )
    return log


def _with_lost(stream: TextIO, event: Any) -> Any:
    """Add how many lines before this one could not be written."""
    if isinstance(stream, StandardStream) and stream.lost:
        event["lines_lost"] = stream.lost
    return event


def _renderer(form: str, *, terminal: bool) -> Any:
    if form == "console" or (form == "auto" and terminal):
        colours = terminal and "NO_COLOR" not in os.environ
        return lambda _, __, event: terminal_line(event, colours=colours)
    return structlog.processors.JSONRenderer()


def show_requests(log: FilteringBoundLogger) -> None:
    """Log each request from now on: its method, its address, the answer's status.

    Only urllib3's own one-line messages are shown. Headers and bodies hold secrets, and what else
    the libraries log may quote them.
    """
    logger = logging.getLogger("urllib3.connectionpool")
    logger.setLevel(logging.DEBUG)
    # The configuration may be read again, and asks for it each time.
    for handler in [one for one in logger.handlers if isinstance(one, _Requests)]:
        logger.removeHandler(handler)
    logger.addHandler(_Requests(log))


class _Requests(logging.Handler):
    """Passes requests on to our log."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Log it without what follows a question mark: a query may hold a token."""
        message = record.getMessage()
        if _REQUEST.search(message):
            self._log.debug("request", detail=_QUERY.sub("?…", message))


def without_values(error: BaseException) -> str:
    """Return the traceback of an error and of those that it came from, the first one first.

    An exception's message is left out: a value in it may be a secret.
    """
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
