"""The kinds of values that a configuration holds: texts, numbers, durations, switches.

Each takes the text as it stands in the file: `0600`, `off`, `012345670123` keep every character. An
error says what is wanted, never repeats what may be a secret, and is written to be read after the
key's name. Paths, hosts and URLs are in `places`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from msgspec import Meta, Struct

DURATION = r"([1-9][0-9]{0,8}s|[1-9][0-9]{0,6}m|[1-9][0-9]{0,4}h|[1-9][0-9]{0,3}d)"
PERCENT = r"[0-9]{1,2}(\.[0-9]{1,3})?%"
MODE = r"(0o?)?[0-7][0-7][0145]"
WHOLE = r"[1-9][0-9]{0,8}"
TRUE = ("true", "yes", "on")
FALSE = ("false", "no", "off")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Value(Struct, eq=False):
    """Annotates a type whose values a function makes from a text.

    `check` raises ValueError with a text that continues the key's name; `schema` says the same to
    editors. `beside`: `check` also gets the directory that a relative path starts from.
    """

    check: Callable[..., Any]
    schema: dict[str, Any]
    beside: bool = False

    def read(self, value: object, base: Path | None) -> Any:
        """Return what is made of the value, with relative paths below `base`."""
        return self.check(value, base) if self.beside else self.check(value)


FILLED = Meta(min_length=1)  # annotates a list of at least one item
EACH_ONCE = Meta(min_length=1, extra_json_schema={"uniqueItems": True})  # each of them once


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


def form(pattern: str, also: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return the JSON Schema of a text; `also`: what an editor takes it for without quotes."""
    text = {"type": "string", "pattern": f"^{pattern}$", **more}
    return {"anyOf": [text, also]} if also else text


def matching(
    pattern: str, wanted: str, make: Callable[[str], Any] = str, hint: str = "", **schema: Any
) -> Value:
    """Annotate what is made of a text of one form; `hint`: what an error adds to what is wanted."""

    def check(value: object) -> Any:
        text = "" if value == "" and re.fullmatch(pattern, "") else text_of(value, wanted)
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{wanted} is wanted{hint}")
        return make(text)

    return Value(check, form(pattern, **schema))


def _mode(value: object) -> int:
    wanted = 'a mode of three octal digits such as "0600"'
    text = text_of(value, wanted)
    if re.fullmatch(MODE, text):
        return int(text[-3:], 8)
    if re.fullmatch(r"(0o?)?[0-7]{3}", text):
        raise ValueError(
            "with this mode everybody could write the file; 0600, 0640 or 0644 is wanted"
        )
    raise ValueError(f"{wanted} is wanted")


_FLAGS = [one for word in TRUE + FALSE for one in (word, word.title(), word.upper())]
FLAG = f"({'|'.join(_FLAGS)})"
WHOLES = {"type": "integer", "minimum": 1, "maximum": 999999999}
NUMBER = {"type": "integer", "minimum": 0}

Text = Annotated[str, Value(
    partial(text_of, wanted="a text"), {"type": ["string", "number", "boolean"], "pattern": r"\S"}
)]  # fmt: skip
NO_TEXTS: Mapping[str, str] = MappingProxyType({})
Texts = Mapping[Text, Text]
Duration = Annotated[timedelta, matching(
    DURATION, "a duration such as 90s, 30m, 12h or 7d",
    lambda text: timedelta(seconds=int(text[:-1]) * SECONDS[text[-1]]),
    " (one whole number above 0 and one unit)", examples=["90s", "12h"])]  # fmt: skip
Percent = Annotated[float, matching(
    PERCENT, "a percentage below 100 such as 50%", lambda text: float(text[:-1]) / 100,
    examples=["50%"])]  # fmt: skip
Flag = Annotated[bool, matching(
    FLAG, "true or false", lambda text: text.lower() in TRUE, also={"type": "boolean"}
)]  # fmt: skip
Account = Annotated[str, matching(
    r"([0-9]{1,9}|[1-3][0-9]{9}|(?![-+.0-9]+$).*\S.*)", "a name, or a number below 4000000000,",
    also={"type": "integer", "minimum": 0, "maximum": 3999999999})]  # fmt: skip
Whole = Annotated[int, matching(WHOLE, "a whole number above 0", int, also=WHOLES)]
FileMode = Annotated[int, Value(
    _mode, form(MODE, {"type": "integer", "minimum": 100, "maximum": 775}))]  # fmt: skip
