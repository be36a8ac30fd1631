"""What clients find in a docker config, by rules of the test's own."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import Any

_ENTRY = re.compile(r'"([^"]+)"\s*:\s*(\{\s*"auth"\s*:\s*"[^"]*"\s*\})')


@dataclass(frozen=True, slots=True)
class Document:
    """A docker config that every client can decode, or that none can (`readable` is false)."""

    readable: bool = True
    auths: dict[str, Any] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)

    def login(self, registry: str) -> tuple[str, str] | None:
        """Return the login that every client finds for a registry; None where some find none.

        An entry that can't be decoded breaks its neighbours. `credsStore` and `credHelpers` have
        clients ask a program that no job has. Of two spellings clients take any.
        """
        if not self.readable or self.rest.get("credsStore"):
            return None
        if registry in map(canonical, self.rest.get("credHelpers") or {}):
            return None
        if not all(map(is_decodable, self.auths.values())):
            return None
        entry = self.auths.get(registry)
        for key, other in self.auths.items():
            if canonical(key) == registry and key.lower() != registry and other != entry:
                return None
        return decoded(entry)


def read(text: str | None) -> Document:
    """Read a text as clients do."""
    if text is None:
        return Document()
    try:
        content = json.loads(text)
    except ValueError:
        return Document(readable=False)
    if not isinstance(content, dict) or not isinstance(content.get("auths") or {}, dict):
        return Document(readable=False)
    rest = {key: value for key, value in content.items() if key != "auths"}
    # Docker reads nothing of a document that has a field of another type.
    readable = all(
        isinstance(rest.get(name) or {}, dict) for name in ("HttpHeaders", "credHelpers")
    )
    return Document(readable, auths=dict(content.get("auths") or {}), rest=rest)


def legible(text: str) -> dict[str, Any]:
    """Return the entries that a person can still read in a damaged text."""
    return {key: json.loads(entry) for key, entry in _ENTRY.findall(text)}


def canonical(key: str) -> str:
    """Return the key that clients agree on."""
    return key.lower().removeprefix("https://").removeprefix("http://").rstrip("/")


def decoded(entry: Any) -> tuple[str, str] | None:
    """Return the login of an entry."""
    if not isinstance(entry, dict) or not is_decodable(entry) or not entry.get("auth"):
        return None
    username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
    return username, password


def is_decodable(entry: Any) -> bool:
    """Tell whether clients can decode an entry: one without a login breaks nothing."""
    if entry is None:
        return True
    if not isinstance(entry, dict) or not isinstance(entry.get("auth") or "", str):
        return False
    try:
        raw = base64.b64decode(entry.get("auth") or "", validate=True)
    except (binascii.Error, ValueError):
        return False
    return not raw or b":" in raw[1:]
