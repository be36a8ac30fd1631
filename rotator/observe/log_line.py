"""An event of the log as a line that a person reads: in the journal, and on a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_ABOUT = ("registry", "source", "target")
_SAID = {
    *("rotation", "event", "level", "timestamp", "exc_info", "exception"),
    *("reason", "detail", "hint", "note", *_ABOUT),
}
_COLOURS = {"debug": "\x1b[2m", "warning": "\x1b[33m", "error": "\x1b[1;31m"}
_PLAIN = "\x1b[0m"


def log_line(event: Mapping[str, Any]) -> str:
    """Return `ROTATION: event: about what: reason: detail. To do: hint (more)`, on one line.

    A traceback follows on lines of its own.
    """
    parts = [str(event[key]) for key in ("rotation", "event") if event.get(key)]
    parts += [
        ", ".join(str(event[key]) for key in _ABOUT if event.get(key)),
        str(event.get("reason") or ""),
        str(event.get("detail") or event.get("note") or ""),
    ]
    line = ": ".join(part for part in parts if part)
    if event.get("hint"):
        line += f". To do: {event['hint']}"
    more = [
        f"{key} {as_text(value)}"
        for key, value in event.items()
        if key not in _SAID and value is not None
    ]
    line = " ".join((f"{line} ({', '.join(more)})" if more else line).split("\n"))
    return f"{line}\n{event['exception']}" if event.get("exception") else line


def terminal_line(event: Mapping[str, Any], *, colours: bool) -> str:
    """Return the line with its time before it, and its level where that matters."""
    level = str(event["level"])
    word = "" if level == "info" else f"{level}: "
    line = f"{str(event['timestamp'])[11:19]}Z {word}{log_line(event)}"
    return f"{_COLOURS[level]}{line}{_PLAIN}" if colours and level in _COLOURS else line


def as_text(value: Any) -> str:
    """Return a value of an event as text: as it is, or as JSON has it."""
    if isinstance(value, list | tuple):
        return "; ".join(map(as_text, value))
    return json.dumps(value) if isinstance(value, bool | int | float) else str(value)
