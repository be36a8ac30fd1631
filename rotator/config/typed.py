"""Commands as they have to be typed: with `--config` where the configuration is not the default.

Sentences name a command bare (`rotator check`): the core and the drivers don't know which file was
loaded, and what they say stays in the journal. Whatever shows a sentence completes it here.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import asdict, replace

_T = TypeVar("_T")

DEFAULT_FILE = Path("/etc/rotator/rotator.yaml")

_COMMAND = re.compile(r"(?<![\w/-])rotator (?=(?:run-once|run|check|status|init)(?![\w-]))")


def completed(value: _T, file: Path) -> _T:
    """Return a text, or what holds texts, with each command as it has to be typed for this file."""
    if file == DEFAULT_FILE:
        return value
    program = f"rotator --config {shlex.quote(str(file.absolute()))} "
    completed_value: _T = _mapped(value, program)
    return completed_value


def _mapped(value: Any, program: str) -> Any:
    if type(value) is str:  # and no enum
        return _COMMAND.sub(lambda _: program, value)
    if isinstance(value, dict):
        return {key: _mapped(one, program) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_mapped(one, program) for one in value)
    if isinstance(value, Struct):
        return replace(value, **_mapped(asdict(value), program))
    return value
