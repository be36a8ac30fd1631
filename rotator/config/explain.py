"""Turns what pydantic found into sentences for a person who was woken by them.

Each names the key, says what is wrong, and what to write instead where that can be guessed. Values
are repeated only where one of a few words is wanted: anything else may be a secret.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from rotator.config.document import Path, Problem
from rotator.config.parts import PLAIN, Part
from rotator.config.rules import names
from rotator.config.schema import Configuration, RotationSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic_core import ErrorDetails

SECRETS = re.compile(r"(.*_)?(token|password|passwd|pass|secret|secret_id|jwt|access_key(_id)?)")
LONGEST_ECHO = 40

_MAPPING = "a mapping (`key: value`) is wanted"
_WANTED = {
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "tuple_type": "a list is wanted (`- item`, or `[item, item]`)",
    "too_short": "is empty; at least one item is wanted",
}
_ELSEWHERE = {
    **{key: f"in `{name}`" for name, part in PLAIN.items() for key in part.model_fields},
    **dict.fromkeys(RotationSettings.model_fields, "in a rotation"),
    **dict.fromkeys(Configuration.model_fields, "at the top of the file"),
}


def explain(errors: Iterable[ErrorDetails], parts: Mapping[Path, Part]) -> list[Problem]:
    """Return a problem for each error, but none for a key that is only missing as it is misspelt.

    `parts`: the document's mappings by their path.
    """
    meant = {path for part in parts.values() for path in meant_keys(part)}
    problems = []
    for error in errors:
        path = _path(error["loc"])
        if error["type"] == "too_short" and error["input"]:
            continue  # pydantic counts only the items that are right
        if error["type"] != "missing":
            problems.append(_problem(error, path, parts))
        elif path not in meant:
            title = parts[path[:-1]].title
            problems.append(Problem(path[:-1], f"`{path[-1]}` is missing in {title}"))
    return problems


def meant_keys(part: Part) -> set[Path]:
    """Return the paths of the keys that a mapping's unknown keys were probably meant to be."""
    known = part.settings.model_fields
    guesses = {_guess(key, list(known)) for key in part.data if key not in known}
    return {(*part.path, guess) for guess in guesses if guess is not None}


def _path(loc: tuple[str | int, ...]) -> Path:
    """Return an error's path in the document: pydantic's, without the unions' tags."""
    return tuple(
        step
        for n, step in enumerate(loc)
        if not (n > 0 and loc[n - 1] == "auth")
        and not (n > 1 and isinstance(loc[n - 1], int) and loc[n - 2] in ("sources", "targets"))
    )


def _problem(error: ErrorDetails, path: Path, parts: Mapping[Path, Part]) -> Problem:
    kind, context = error["type"], error.get("ctx", {})
    if path[-1:] == ("[key]",):
        return Problem(path[:-1], f"this key: {context['error']}", at_key=True)
    if kind == "extra_forbidden":
        return Problem(path, _unknown_key(str(path[-1]), parts[path[:-1]]), at_key=True)
    tag = str(context.get("discriminator")).strip("'")
    if kind == "union_tag_not_found":
        return Problem(path, f"`{tag}` is missing, which says what kind this is")
    if kind == "union_tag_invalid":
        return _about((*path, tag), _one_of(context["expected_tags"], error["input"][tag]))
    return _about(path, _sentence(error, context))


def _sentence(error: ErrorDetails, context: Mapping[str, Any]) -> str:
    if "expected" in context:
        return _one_of(context["expected"], error["input"])
    if "error" in context:
        return str(context["error"])
    return _WANTED.get(error["type"], error["msg"])


def _about(path: Path, message: str) -> Problem:
    """Return a problem whose sentence names the key, and the item of a list where it is one."""
    if not path:
        return Problem(path, f"{message}; begin with `version: 1` and `rotations:`")
    *parents, last = path
    if isinstance(last, str):
        return Problem(path, f"`{last}`: {message}")
    return Problem(path, f"`{parents[-1]}`, item {last + 1}: {message}")


def _one_of(expected: str, given: object) -> str:
    """Return which words are wanted. `expected` is pydantic's list of them: 'a', 'b' or 'c'."""
    words = re.findall(r"'([^']*)'", expected) or [expected]
    sentence = f"{names(words, 'or')} is wanted"
    if not isinstance(given, str) or len(given) > LONGEST_ECHO:
        return sentence
    close = difflib.get_close_matches(given.lower(), words, n=1)
    return f"{sentence}, not `{given}`" + (f"; did you mean `{close[0]}`?" if close else "")


def _unknown_key(key: str, part: Part) -> str:
    known = list(part.settings.model_fields)
    guess = _guess(key, known)
    if SECRETS.fullmatch(key):
        where = f"`{guess}: PATH`" if guess else "a key that ends in `_file`"
        return (
            f"`{key}`: no secret is written in the configuration; write it to a file and name"
            f" that file with {where}{' in `auth`' if 'auth' in known else ''}"
        )
    sentence = f"`{key}` is not known in {part.title}"
    if guess is not None:
        return f"{sentence}; did you mean `{guess}`?"
    if key in _ELSEWHERE:
        return f"{sentence}; it belongs {_ELSEWHERE[key]}"
    return f"{sentence}; known are {names(known, 'and')}"


def _guess(key: str, known: list[str]) -> str | None:
    """Return the known key that was probably meant."""
    if f"{key}_file" in known:
        return f"{key}_file"
    if SECRETS.fullmatch(key):
        return None
    close = difflib.get_close_matches(key.lower(), known, n=1)
    return close[0] if close else None
