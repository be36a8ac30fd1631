"""Loaded by each rotator that the end-to-end tests start: what crashes at random is said at once.

Two things go wrong only where threads meet: a type that msgspec builds outside the lock of
`rotator/decoding.py`, and a module of ours that a thread imports without it. Tests look for `SAID`
in what a command printed.
"""

import os
import sys
import threading
from typing import Any

import msgspec._utils as inside

SAID = "not under the lock of rotator/decoding.py"


def _say_unless_locked(what: str) -> None:
    decoding = sys.modules.get("rotator.decoding")
    if decoding is None or not decoding.LOCK._is_owned():
        os.write(2, f"{SAID}: {what}\n".encode())


def _look(kind: Any) -> Any:
    """Msgspec asks this for a type's fields when it builds the type; `structs.fields` does too."""
    if sys._getframe(2).f_globals.get("__name__") != "msgspec.structs":
        _say_unless_locked(f"msgspec builds {kind}")
    return _real_look(kind)


def _watch_imports(event: str, arguments: Any) -> None:
    if event != "import" or threading.current_thread() is threading.main_thread():
        return
    if arguments[0].partition(".")[0] == "rotator":
        _say_unless_locked(f"a thread imports {arguments[0]}")


_real_look = inside._get_class_mro_and_typevar_mappings
inside._get_class_mro_and_typevar_mappings = _look
sys.addaudithook(_watch_imports)
