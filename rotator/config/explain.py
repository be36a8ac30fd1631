"""Says what is wrong with a document, in sentences that help at night too.

Each names the key, says what is wrong, and what to write instead where that can be guessed. Values
are repeated only where one of a few values is wanted: anything else may be a secret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from rotator.config.settings import names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rotator.config.settings import Settings

SECRETS = re.compile(r"(.*_)?(token|password|passwd|pass|secret|secret_id|jwt|access_key(_id)?)")
LONGEST_ECHO = 40
_NAME_ALONE = re.compile(r"[${%]+ ?[A-Za-z0-9_.]{1,40} ?[}%]*")
# `$NAME` alone: a user name such as `robot$ci` is none.
_VARIABLE = re.compile(
    r"\$\{[A-Za-z_][A-Za-z0-9_]*[^}]*\}|\{\{.*?\}\}|\$\([^)]*\)|^\$[A-Z_][A-Z0-9_]*$|^%[A-Z_]+%$"
)
MAPPING = "a mapping (`key: value`) is wanted"
LIST = "a list is wanted (`- item`, or `[item, item]`)"
EMPTY = "is empty; at least one item is wanted"

Path = tuple[str | int, ...]
"""Where something is in the document: keys and list positions from the root."""


class Problem(NamedTuple):
    """What is wrong at a path: `at_key` points at the key there instead of its value."""

    path: Path
    message: str
    at_key: bool = False


class Part(NamedTuple):
    """A mapping of the document: where it is, and the settings that it should be."""

    path: Path
    settings: type[Settings]
    data: dict[str, Any]

    @property
    def called(self) -> str:
        """What it is called in a sentence."""
        config = self.settings.__struct_config__
        if config.tag_field:
            return f"`{config.tag_field}: {config.tag}`"
        return self.settings.CALLED or f"`{self.path[-1]}`"


def about(path: Path, message: str) -> Problem:
    """Return a problem whose sentence names the key, and the item of a list where it is one."""
    if not path:
        return Problem(path, f"{message}; begin with `version: 1` and `rotations:`")
    *parents, last = path
    if isinstance(last, str):
        return Problem(path, f"`{last}`: {message}")
    return Problem(path, f"`{parents[-1]}`, item {last + 1}: {message}")


def refuse_variable(value: object) -> None:
    """Raise `ValueError` where a value holds a variable that nobody replaced."""
    found = _VARIABLE.search(value) if isinstance(value, str) else None
    if found is not None:
        # A default or a command in it may hold a secret.
        name = f"`{found[0]}`" if _NAME_ALONE.fullmatch(found[0]) else "this"
        why = "variables are not expanded here; write the value itself"
        raise ValueError(f"{name} is no value: {why}")


def one_of(values: Iterable[str], given: object) -> str:
    """Return which values are allowed, and which of them was probably meant."""
    known = list(values)
    sentence = f"{names(known, 'or')} is wanted"
    if not isinstance(given, str) or len(given) > LONGEST_ECHO:
        return sentence
    near = closest(given, known)
    return f"{sentence}, not `{given}`" + (f"; did you mean `{near}`?" if near else "")


def wrong_keys(part: Part, root: type[Settings]) -> list[Problem]:
    """Return what is wrong with the keys of a mapping: those unknown and those missing.

    None for a key that is only missing as it is misspelt. `root`: the settings of the document.
    """
    keys = part.settings.keys()
    problems = [
        Problem((*part.path, key), _unknown_key(key, part, root), at_key=True)
        for key in part.data
        if key not in keys
    ]
    meant = meant_keys(part) | part.data.keys()
    missing = [key for key, one in keys.items() if one.required and key not in meant]
    return problems + [
        Problem(part.path, f"`{key}` is missing in {part.called}") for key in missing
    ]


def meant_keys(part: Part) -> set[str]:
    """Return the keys that a mapping's unknown keys were probably meant to be."""
    known = part.settings.keys()
    return {_guess(key, list(known)) or key for key in part.data if key not in known}


def _unknown_key(key: str, part: Part, root: type[Settings]) -> str:
    known = list(part.settings.keys())
    guess = _guess(key, known)
    if SECRETS.fullmatch(key):
        where = f"`{guess}: PATH`" if guess else "a key that ends in `_file`"
        return (
            f"`{key}`: no secret is written in the configuration; write it to a file and name"
            f" that file with {where}{' in `auth`' if 'auth' in known else ''}"
        )
    sentence = f"`{key}` is not known in {part.called}"
    if guess is not None:
        return f"{sentence}; did you mean `{guess}`?"
    home = _homes(root, "at the top of the file").get(key)
    return f"{sentence}; " + (f"it belongs {home}" if home else f"known are {names(known, 'and')}")


def _homes(settings: type[Settings], where: str) -> dict[str, str]:
    """Return where each key belongs: those of the settings, and of what is in them, untagged."""
    homes: dict[str, str] = {}
    for name, key in settings.keys().items():
        if (inner := key.nested) is not None:
            homes |= _homes(inner, f"in {inner.CALLED or f'`{name}`'}")
    return homes | dict.fromkeys(settings.keys(), where)


def _guess(key: str, known: list[str]) -> str | None:
    """Return the known key that was probably meant."""
    if f"{key}_file" in known:
        return f"{key}_file"
    return None if SECRETS.fullmatch(key) else closest(key, known)


def closest(word: str, known: list[str]) -> str | None:
    """Return the one of the known texts that was probably meant."""
    from difflib import get_close_matches  # noqa: PLC0415  only a mistake needs it

    return next(iter(get_close_matches(word.lower(), known, n=1)), None)
