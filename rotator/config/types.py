"""The kinds of values that a configuration holds: texts, numbers, durations, switches.

Each takes the text as it stands in the file (`0600`, `off`, `012345670123` keep every character)
and, from code, the value itself. An error says what is wanted, never repeats what may be a secret,
and is written to be read after the key's name. Paths, hosts and URLs are in `places`.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from rotator.config.rules import Rule

DURATION = r"([1-9][0-9]{0,8}s|[1-9][0-9]{0,6}m|[1-9][0-9]{0,4}h|[1-9][0-9]{0,3}d)"
PERCENT = r"[0-9]{1,2}(\.[0-9]{1,3})?%"
MODE = r"(0o?)?[0-7][0-7][0145]"
WHOLE = r"[1-9][0-9]{0,8}"
TRUE = ("true", "yes", "on")
FALSE = ("false", "no", "off")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Settings(BaseModel):
    """What all parts of a configuration have in common: unchangeable, no unknown key.

    `RULES` are what one key says about another. They are not checked here but by `crosscheck`,
    over the file's own keys, so that they are told together with every other mistake.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    RULES: ClassVar[tuple[Rule, ...]] = ()


def rules_of(settings: type[Settings]) -> list[Rule]:
    """Return the rules of a class and of those that it builds on."""
    return [rule for kind in settings.__mro__ for rule in kind.__dict__.get("RULES", ())]


def fill(settings: Settings, field: str, value: object) -> None:
    """Give a field that was left out its value, while the settings are being built."""
    if field not in settings.model_fields_set:
        settings.__dict__[field] = value


def text_of(value: object, wanted: str) -> str:
    """Return the value if it is a text that can be shown on one line; raise ValueError else."""
    if not isinstance(value, str):
        kind = {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(value), "this")
        raise ValueError(f"{wanted} is wanted, not {kind}")  # noqa: TRY004  pydantic's protocol
    if not value.strip():
        raise ValueError(f"{wanted} is wanted, not an empty text")
    if not value.isprintable():
        raise ValueError(f"{wanted} is wanted, without line breaks or control characters")
    return value


@dataclass(frozen=True)
class Matching:
    """Annotates a text that has one form. `number`: it may look like a number, quoted or not."""

    pattern: str
    wanted: str
    number: bool = False

    def check(self, value: object) -> str:
        """Return the text if it has the form; raise ValueError else."""
        text = text_of(value, self.wanted)
        if not re.fullmatch(self.pattern, text):
            raise ValueError(f"{self.wanted} is wanted")
        return text

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        text = {"type": "string", "pattern": f"^{self.pattern}$"}
        return {"anyOf": [text, {"type": "integer", "minimum": 0}]} if self.number else text


def without_repeats(items: tuple[str, ...]) -> tuple[str, ...]:
    """Return the items if each is there once; raise ValueError else."""
    for number, item in enumerate(items):
        if item in items[:number]:
            raise ValueError(f"`{item}` is there twice")
    return items


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


def _either(text: str, other: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "string", "pattern": f"^{text}$"}, other]})


_FLAG_WORDS = tuple(form for word in TRUE + FALSE for form in (word, word.title(), word.upper()))

Text = Annotated[
    str,
    BeforeValidator(_text),
    WithJsonSchema({"type": ["string", "number", "boolean"], "pattern": r"\S"}),
]
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": f"^{DURATION}$", "examples": ["90s", "12h"]}),
]
Percent = Annotated[
    float,
    BeforeValidator(_percent),
    WithJsonSchema({"type": "string", "pattern": f"^{PERCENT}$", "examples": ["50%"]}),
]
Flag = Annotated[
    bool, BeforeValidator(_flag), _either(f"({'|'.join(_FLAG_WORDS)})", {"type": "boolean"})
]
Whole = Annotated[
    int,
    BeforeValidator(_whole),
    _either(WHOLE, {"type": "integer", "minimum": 1, "maximum": 999999999}),
]
FileMode = Annotated[
    int, BeforeValidator(_mode), _either(MODE, {"type": "integer", "minimum": 100, "maximum": 775})
]
