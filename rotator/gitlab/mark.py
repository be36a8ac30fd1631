"""The mark of a GitLab variable: a sentence in its description that people and rotators read.

    Kept fresh by rotator (dind) until 2026-11-23T22:00:00Z: a.example.com, b.example.com;
    until 2026-11-24T10:00:00Z: c.example.com; without a known end: d.example.com; and 3 more;
    mark hmac:3f9a2c41d7e0

Clauses are separated by `; `. Registries that end together share a clause; the soonest end comes
first, those without a known end last, names in alphabetical order. A description holds 255
characters: registries are left out from the end of that order, and counted (`and 3 more`). Readers
of the mark know nothing of those.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from rotator.core.model import Mark
from rotator.http.reading import time_in

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 255  # characters in a description: https://docs.gitlab.com/api/group_level_variables/

_LONGEST_ROTATION = 100
_BEGINNING = "Kept fresh by rotator ("
_ENDLESS = "without a known end"
_HEAD = re.compile(re.escape(_BEGINNING) + r"(?P<rotation>[^()]*)\)(?P<rest>.*)", re.DOTALL)
_NAME = re.compile(r"[^\s,;]+")

_NEVER = datetime.max.replace(tzinfo=UTC)

_Entry = tuple[str, datetime | None]


def describe(mark: Mark) -> str:
    """Return the description for this mark, at most `LIMIT` characters."""
    entries = sorted(mark.expires.items(), key=lambda entry: (entry[1] or _NEVER, entry[0]))
    writable = [entry for entry in entries if _NAME.fullmatch(entry[0])]
    for count in range(len(writable), 0, -1):
        text = _sentence(mark, writable[:count], left_out=len(entries) - count)
        if len(text) <= LIMIT:
            return text
    return _sentence(mark, [], left_out=len(entries))


def parse(description: str | None) -> Mark | None:
    """Return the mark in a description as far as it is whole; None where it is not a rotator's."""
    head = _HEAD.match((description or "").strip())
    if head is None:
        return None
    expires: dict[str, datetime | None] = {}
    fingerprint, is_whole = "", True
    for clause in head["rest"].split(";"):
        title, _, names = clause.strip().partition(": ")
        word, _, value = title.partition(" ")
        if word == "mark":
            fingerprint = value.partition(" ")[0]
        elif word == "and":
            is_whole = False
        elif title == _ENDLESS:
            expires |= dict.fromkeys(_NAME.findall(names))
        elif word == "until" and (end := time_in(value)):
            expires |= dict.fromkeys(_NAME.findall(names), end)
    return Mark(expires, fingerprint, head["rotation"], is_whole)


def _sentence(mark: Mark, included: Sequence[_Entry], left_out: int) -> str:
    clauses = [
        f"{title}: {', '.join(name for name, _ in entries)}"
        for title, entries in groupby(included, key=lambda entry: _title(entry[1]))
    ]
    if not clauses and mark.expires:
        clauses = [_title(min((end for end in mark.expires.values() if end), default=None))]
    if left_out:
        clauses.append(f"and {left_out} more")
    head = f"{_BEGINNING}{mark.rotation[:_LONGEST_ROTATION]})"
    return "; ".join([" ".join([head, *clauses[:1]]), *clauses[1:], f"mark {mark.fingerprint}"])


def _title(end: datetime | None) -> str:
    if end is None:
        return _ENDLESS
    return "until " + end.astimezone(UTC).isoformat().replace("+00:00", "Z")
