"""What a server says, made fit to be shown: one line, and nothing of what it was sent in secret.

Servers, and proxies before them, repeat parts of a request in their answers.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST = 300  # characters that are shown of what a server says

_MOST_READ = 10_000
_HIDDEN = "***"
_URL_LOGIN = re.compile(r"//[^/\s@]*@")

# Long enough to be a part of a password, and without what separates values in JSON and URLs.
_PART = re.compile(r"[^\s\"'\\,;{}\[\]()<>&?]{8,}")


def shown(text: str, hidden: Iterable[str], longest: int = LONGEST) -> str:
    """Return `text` in one line of printable characters, at most `longest`.

    `hidden`: what was sent and may not be shown. It is blotted out whole, in other encodings and in
    pieces; so are logins in URLs.
    """
    secrets = [secret for secret in hidden if secret]
    text = text[:_MOST_READ]
    for secret in secrets:
        for form in _forms(secret):
            text = text.replace(form, _HIDDEN)
    text = _PART.sub(lambda word: _HIDDEN if any(word[0] in s for s in secrets) else word[0], text)
    text = _URL_LOGIN.sub(f"//{_HIDDEN}@", text)
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:longest]


def _forms(secret: str) -> Iterator[str]:
    data = secret.encode(errors="surrogatepass")
    yield secret
    yield json.dumps(secret)[1:-1]
    yield quote(data, safe="")
    yield quote_plus(data)
    yield data.hex()
    for before in range(3):
        # Where it stands in the middle of something, the neighbours' bits are in the outer letters.
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        standard = base64.b64encode(b"\0" * before + data)[first:last].decode()
        if standard:
            yield standard
            yield standard.replace("+", "-").replace("/", "_")
