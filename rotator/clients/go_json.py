"""Reads JSON as Go's `encoding/json` does: repeated names count, and letters' case does not.

https://pkg.go.dev/encoding/json#Unmarshal
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from rotator.core.docker_fields import Members

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = " \t\r\n"


class NotJsonError(ValueError):
    """The text is no JSON; the message says so without quoting it."""


class Text(NamedTuple):
    """A text's first JSON value and what stands after it.

    `empty`: there is no value at all. `trailing`: something other than white space follows.
    `several`: for Go's `Decoder.More` another value follows.
    """

    value: Any
    empty: bool = False
    trailing: bool = False
    several: bool = False


def read(text: str) -> Text:
    """Return the first JSON value of a text; raise `NotJsonError` where there is none."""
    begin = len(text) - len(text.lstrip(_SPACE))
    if begin == len(text):
        return Text(None, empty=True)
    if text.startswith("\ufeff"):
        raise NotJsonError("it begins with a byte order mark")
    decoder = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_no_constant)
    try:
        value, end = decoder.raw_decode(text, begin)
    except RecursionError:
        raise NotJsonError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        # The parser's own message may quote the document, so only the place is passed on.
        raise NotJsonError(f"it is not JSON (line {error.lineno})") from None
    except ValueError:
        raise NotJsonError("it is not JSON") from None
    rest = text[end:].strip(_SPACE)
    return Text(_plain(value), trailing=bool(rest), several=bool(rest and rest[0] not in "]}"))


def _members(pairs: list[tuple[str, Any]]) -> Members:
    return Members(tuple((_whole(name), _plain(value)) for name, value in pairs))


def _plain(value: Any) -> Any:
    return _whole(value) if isinstance(value, str) else value


def _whole(text: str) -> str:
    """Return a string as Go reads it, which replaces a lone surrogate."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def _no_constant(name: str) -> None:
    raise ValueError(name)
