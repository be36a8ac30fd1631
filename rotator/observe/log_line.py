"""An event of the log as a line that a person reads: in the journal, and on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_ABOUT = ("registry", "source", "target")
_SAID = {"rotation", "event", "level", "timestamp", "detail", "hint", "reason", "exc_info", *_ABOUT}


def log_line(event: Mapping[str, Any]) -> str:
    """Return `ROTATION: event: about what: reason: detail. To do: hint (more)`, on one line."""
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
        f"{key} {_value(value)}"
        for key, value in event.items()
        if key not in _SAID | {"note"} and value is not None
    ]
    line = f"{line} ({', '.join(more)})" if more else line
    return line if event.get("exception") else " ".join(line.split("\n"))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
