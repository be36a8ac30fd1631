"""Reads `WWW-Authenticate`: where and how a registry wants a login.

https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
"""

from __future__ import annotations

import re
from typing import NamedTuple

_MOST = 8

# A scheme, or a parameter: a name, and where it is a parameter, "=" and its value.
_PART = re.compile(r"""([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s?=\s?("(?:[^"\\]|\\.)*"|[^\s,"]*))?""")


class Challenge(NamedTuple):
    """One way in that a registry offers: `basic` or `bearer`, and its parameters."""

    scheme: str
    parameters: dict[str, str]


def challenges(header: str) -> list[Challenge]:
    """Return the challenges of a `WWW-Authenticate` header in their order.

    Other text is skipped. Several challenges may stand in one header, separated by commas like
    their parameters; of a parameter that is there twice the first counts.
    """
    found: list[Challenge] = []
    for part in _PART.finditer(header):
        name, value = part[1].lower(), part[2]
        if value is None:
            if len(found) == _MOST:
                break
            found.append(Challenge(name, {}))
        elif found:
            quoted = value[:1] == '"'
            text = re.sub(r"\\(.)", r"\1", value[1:-1]) if quoted else value
            found[-1].parameters.setdefault(name, text)
    return found


def usable(header: str, *, for_token: bool) -> Challenge | None:
    """Return the first challenge that a login can meet, `for_token` an identity token.

    Where no challenge is made for that, it is the first that any docker login can meet.
    """
    found = [one for one in challenges(header) if one.scheme in ("basic", "bearer")]
    bearer = [one for one in found if one.scheme == "bearer"]
    return next(iter((for_token and bearer) or found), None)
