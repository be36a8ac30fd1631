"""Decodes into Structs, and loads drivers, from several threads too.

msgspec builds what it knows of a type at the type's first use. In version 0.22 another thread that
uses the type meanwhile gets one that is not complete, and the interpreter crashes (SIGSEGV). So
every type is built under one lock before it is used, by `convert` and `decode_json`, the only ways
from a document to a Struct. `load` is the only way to load a driver or a check.

The linter bans the other ways (`banned-api` in pyproject.toml), and a test fails in which a type is
built without the lock (tests/conftest.py).
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

Wanted = TypeVar("Wanted")

LOCK = RLock()
"""Held while a type is built or a driver is imported."""

_built: set[object] = set()


def convert(
    value: object, kind: type[Wanted], hook: Callable[[type[Any], Any], Any] | None = None
) -> Wanted:
    """Return the value as one of this kind; raise `msgspec.ValidationError` where it is none.

    `hook` makes values of types that msgspec does not know.
    """
    _build(kind)
    return msgspec.convert(value, kind, dec_hook=hook)


def decode_json(text: str | bytes, kind: type[Wanted]) -> Wanted:
    """Return what the JSON holds as one of this kind; raise `msgspec.DecodeError` if it is none."""
    _build(kind)
    return msgspec.json.decode(text, type=kind)


def load(name: str) -> ModuleType:
    """Return the module of a driver or a check.

    One at a time: of two threads that import the modules of a cycle in another order, Python lets
    one go on with a module that is not complete.
    """
    with LOCK:
        return import_module(name)


def _build(kind: Any) -> None:
    if kind not in _built:
        with LOCK:
            # None fits few types, but it is compared with the built type.
            with suppress(msgspec.ValidationError):
                msgspec.convert(None, kind)
            _built.add(kind)
