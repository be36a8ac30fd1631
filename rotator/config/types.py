"""The kinds of values that a configuration holds: texts, numbers, durations, switches.

Each takes the text as it stands in the file (`0600`, `off`, `012345670123` keep every character)
and, from code, the value itself. An error says what is wanted, never repeats what may be a secret,
and is written to be read after the key's name. Paths, hosts and URLs are in `places`.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, Any

from rotator.config.shapes import TextMap, Value

DURATION = r"([1-9][0-9]{0,8}s|[1-9][0-9]{0,6}m|[1-9][0-9]{0,4}h|[1-9][0-9]{0,3}d)"
PERCENT = r"[0-9]{1,2}(\.[0-9]{1,3})?%"
MODE = r"(0o?)?[0-7][0-7][0145]"
WHOLE = r"[1-9][0-9]{0,8}"
TRUE = ("true", "yes", "on")
FALSE = ("false", "no", "off")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def text_of(value: object, wanted: str) -> str:
    """Return the value if it is a text that can be shown on one line; raise ValueError else."""
    if not isinstance(value, str):
        kind = {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(value), "this")
        raise ValueError(f"{wanted} is wanted, not {kind}")  # noqa: TRY004  what every check raises
    if not value.strip():
        raise ValueError(f"{wanted} is wanted, not an empty text")
    if not value.isprintable():
        raise ValueError(f"{wanted} is wanted, without line breaks or control characters")
    return value


def matching(pattern: str, wanted: str, *, number: bool = False) -> Value:
    """Annotate a text that has one form. `number`: it may look like a number, quoted or not."""

    def check(value: object) -> str:
        text = text_of(value, wanted)
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{wanted} is wanted")
        return text

    schema = {"type": "string", "pattern": f"^{pattern}$"}
    return Value(
        check, {"anyOf": [schema, {"type": "integer", "minimum": 0}]} if number else schema
    )


def _text(value: object) -> str:
    return text_of(value, "a text")


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    wanted = "a duration such as 90s, 30m, 12h or 7d"
    text = text_of(value, wanted)
    if not re.fullmatch(DURATION, text):
        raise ValueError(f"{wanted} is wanted (one whole number above 0 and one unit)")
    return timedelta(seconds=int(text[:-1]) * SECONDS[text[-1]])


def _percent(value: object) -> float:
    if isinstance(value, float):
        return value
    wanted = "a percentage below 100 such as 50%"
    text = text_of(value, wanted)
    if not re.fullmatch(PERCENT, text):
        raise ValueError(f"{wanted} is wanted")
    return float(text[:-1]) / 100


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = text_of(value, "true or false")
    if word not in _FLAG_WORDS:
        raise ValueError("true or false is wanted")
    return word.lower() in TRUE


def _whole(value: object) -> int:
    if isinstance(value, int):
        return value
    wanted = "a whole number above 0"
    text = text_of(value, wanted)
    if not re.fullmatch(WHOLE, text):
        raise ValueError(f"{wanted} is wanted")
    return int(text)


def _mode(value: object) -> int:
    if isinstance(value, int):
        return value
    wanted = 'a mode of three octal digits such as "0600"'
    text = text_of(value, wanted)
    if re.fullmatch(MODE, text):
        return int(text[-3:], 8)
    if re.fullmatch(r"(0o?)?[0-7]{3}", text):
        raise ValueError(
            "with this mode everybody could write the file; 0600, 0640 or 0644 is wanted"
        )
    raise ValueError(f"{wanted} is wanted")


def _either(text: str, other: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"type": "string", "pattern": f"^{text}$"}, other]}


def _form(pattern: str, *examples: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{pattern}$", "examples": list(examples)}


_FLAG_WORDS = tuple(form for word in TRUE + FALSE for form in (word, word.title(), word.upper()))

Text = Annotated[str, Value(_text, {"type": ["string", "number", "boolean"], "pattern": r"\S"})]
NO_TEXTS: Mapping[str, str] = MappingProxyType({})
Texts = Annotated[Mapping[str, str], TextMap(Text)]
Duration = Annotated[timedelta, Value(_duration, _form(DURATION, "90s", "12h"))]
Percent = Annotated[float, Value(_percent, _form(PERCENT, "50%"))]
Flag = Annotated[bool, Value(_flag, _either(f"({'|'.join(_FLAG_WORDS)})", {"type": "boolean"}))]
Whole = Annotated[
    int, Value(_whole, _either(WHOLE, {"type": "integer", "minimum": 1, "maximum": 999999999}))
]
FileMode = Annotated[
    int, Value(_mode, _either(MODE, {"type": "integer", "minimum": 100, "maximum": 775}))
]
