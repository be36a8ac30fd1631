"""Searches what a program left behind for secrets, in every form that a program might give them.

It is written apart from the code that hides secrets, so that one mistake is not made twice.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_SHORTEST = 8
"""Bytes. What is shorter stands anywhere by chance."""


@dataclass(frozen=True)
class Leak:
    """A secret in a place where none may be: its name, its form, and where it was found."""

    secret: str
    form: str
    place: str


def forms(text: str) -> dict[str, bytes]:
    """Return every form in which a secret may be seen, by the form's name.

    Base64 depends on where in a longer text the secret stands: each of the three cases is there,
    without the letters that its neighbours have a part in. Padding needs no form of its own.
    """
    data = text.encode()
    found = {
        "plain": data,
        "UTF-16": text.encode("utf-16-le"),
        "URL": quote(text, safe="").encode(),
        "URL, small letters": quote(text, safe="").lower().encode(),
        "form": quote_plus(text).encode(),
        "JSON": json.dumps(text)[1:-1].encode(),
        "JSON in JSON": json.dumps(json.dumps(text)[1:-1])[1:-1].encode(),
        "repr": repr(text)[1:-1].encode(),
        "hex": data.hex().encode(),
        "HEX": data.hex().upper().encode(),
        "backwards": data[::-1],
    }
    for before in range(3):
        packed = base64.b64encode(b"-" * before + data + b"-" * (-(before + len(data)) % 3))
        first, last = -(-before * 4 // 3), (before + len(data)) * 4 // 3
        standard = packed[first:last]
        found[f"base64 at {before}"] = standard
        found[f"URL-safe base64 at {before}"] = standard.translate(bytes.maketrans(b"+/", b"-_"))
        found[f"base64 at {before}, in a URL"] = quote(standard, safe="").encode()
    return found


class SecretSearch:
    """Looks for the secrets that it was told of, by name."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        short = [name for name, text in secrets.items() if len(text) < _SHORTEST]
        assert not short, f"too short to be searched for: {short}"
        self._needles = [
            (needle, name, form)
            for name, text in secrets.items()
            for form, needle in forms(text).items()
        ]

    def in_bytes(self, data: bytes, place: str) -> list[Leak]:
        """Return the leaks in some bytes; `place` says where they are from."""
        # Base64 of a whole document is cut into lines, and a terminal's table into columns.
        joined = b"".join(data.split())
        return [
            Leak(name, form, place)
            for needle, name, form in self._needles
            if needle in data or needle in joined
        ]

    def in_text(self, text: str, place: str) -> list[Leak]:
        """Return the leaks in a text."""
        return self.in_bytes(text.encode(errors="surrogateescape"), place)

    def in_files(self, folder: Path, but: Iterable[Path] = ()) -> list[Leak]:
        """Return the leaks below a folder: in files, their names, attributes, and links.

        `but`: files and folders where secrets belong.
        """
        left_out = set(but)
        leaks = []
        for path in _walk(folder, left_out):
            leaks += self.in_text(str(path.relative_to(folder)), f"the name {path}")
            if path.is_symlink():
                leaks += self.in_text(str(path.readlink()), f"the link {path}")
            elif path.is_file():
                leaks += self.in_bytes(path.read_bytes(), str(path))
                for name in os.listxattr(path):
                    leaks += self.in_bytes(os.getxattr(path, name), f"{name} of {path}")
        return leaks


def _walk(folder: Path, left_out: set[Path]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path in left_out:
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path, left_out)
