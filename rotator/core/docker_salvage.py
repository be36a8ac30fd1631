"""What can be saved of a docker config that no client can read."""

from __future__ import annotations

import json
from contextlib import suppress

from rotator.core.docker_config import DockerConfig, decode
from rotator.core.errors import DriverError

# How many closing brackets are tried, from the end of the text.
_MOST_CUTS = 50

# Python's own integers have a largest number of digits.
_DECODER = json.JSONDecoder(parse_int=float)


def salvage(text: str) -> DockerConfig | None:
    """Return the document that a damaged text begins with, with every entry that is whole.

    It saves a document that was cut off, one that has other text after it, and one after a byte
    order mark, as editors on Windows write. None where the text is damaged in another way: then
    nobody knows what its author meant.
    """
    text = text.removeprefix("\ufeff")
    with suppress(ValueError, RecursionError, DriverError):
        _, end = _DECODER.raw_decode(text)
        return decode(text[:end])
    if not text.startswith("{") or not _is_cut_off(text):
        return None
    for closing in ("}", "}}", "}}}"):
        with suppress(DriverError):
            whole = decode(text + closing)
            return None if _has_entry_in_entry(whole) else whole
    cuts = [at for at, letter in enumerate(text) if letter == "}"]
    for at in reversed(cuts[-_MOST_CUTS:]):
        for closing in ("}", "}}"):
            with suppress(DriverError):
                return decode(text[: at + 1] + closing)
    return DockerConfig()


def _is_cut_off(text: str) -> bool:
    """Tell whether a text is JSON up to its end, and only its end is missing."""
    try:
        _DECODER.decode(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text) or text.count('"', error.pos) == 1
    except (ValueError, RecursionError):
        return False
    return False


def _has_entry_in_entry(config: DockerConfig) -> bool:
    """Tell whether an entry holds another one: a bracket is missing between the two."""
    entries = [entry for entry in config.auths.values() if isinstance(entry, dict)]
    return any(isinstance(value, dict) for entry in entries for value in entry.values())
