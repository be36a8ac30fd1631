"""Decodes into Structs, from several threads too, and loads the modules whose SDKs do so.

msgspec builds what it knows of a type at the type's first use. In version 0.22 another thread that
uses the type meanwhile gets one that is not complete, and the interpreter crashes (SIGSEGV). So
every type is built under one lock before it is used:

- ours by `convert` and `decode_json`, the only ways from a document to a Struct;
- lightkube's, which decodes by itself, by `load`, the only way to load a driver or a check.

The linter bans the other ways (`banned-api` in pyproject.toml), and a test fails in which a type is
built without the lock (tests/conftest.py).
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

Wanted = TypeVar("Wanted")

LOCK = RLock()
"""Held while a type is built or a driver is imported."""

_built: set[object] = set()


def convert(value: object, kind: type[Wanted]) -> Wanted:
    """Return the value as one of this kind; raise `msgspec.ValidationError` where it is none."""
    _build(kind)
    return msgspec.convert(value, kind)


def decode_json(text: str | bytes, kind: type[Wanted]) -> Wanted:
    """Return what the JSON holds as one of this kind; raise `msgspec.DecodeError` if it is none."""
    _build(kind)
    return msgspec.json.decode(text, type=kind)


def load(name: str) -> ModuleType:
    """Return the module of a driver or a check, and let threads decode into its SDK's types.

    One at a time: of two threads that import the modules of a cycle in another order, Python lets
    one go on with a module that is not complete.
    """
    with LOCK:
        module = import_module(name)
        for kind in list(_subclasses(msgspec.Struct)):
            if not kind.__module__.startswith("rotator."):
                # What can't be built can't be decoded into either.
                with suppress(Exception):
                    _build(kind)
        _build_lists()
        return module


def _build(kind: Any) -> None:
    if kind not in _built:
        with LOCK:
            # None fits few types, but it is compared with the built type.
            with suppress(msgspec.ValidationError):
                msgspec.convert(None, kind)
            _built.add(kind)


def _build_lists() -> None:
    """Build the types that lightkube makes for lists of the resources that our modules name."""
    lightkube = sys.modules.get("lightkube.core.decoders")
    if lightkube is None:
        return
    resource = sys.modules["lightkube.core.resource"].Resource
    ours = [module for name, module in list(sys.modules.items()) if name.startswith("rotator.")]
    for kind in [value for module in ours for value in list(vars(module).values())]:
        is_resource = isinstance(kind, type) and issubclass(kind, resource)
        if is_resource and (kind, "list") not in _built:
            lightkube.decode_list(b'{"items": []}', kind)
            _built.add((kind, "list"))


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)
