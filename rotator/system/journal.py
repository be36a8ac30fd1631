"""The journal in files: one JSON file a rotation in the state directory, and the fingerprints' key.

Nothing here stops a cycle. A file that can't be read is set aside, and where nothing can be
written the record stays in memory: a journal that is lost costs one renewal.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core.errors import ConfigError
from rotator.core.record import VERSION, Record
from rotator.decoding import decode_json
from rotator.system import atomic_file
from rotator.system import state_dir as state
from rotator.system.file_errors import OPEN, WRITE, explained
from rotator.system.input_file import read_plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "fingerprint.key"
KEY_BYTES = 32
SET_ASIDE = 3  # how many unreadable files stay there for a person to read


class _Header(Struct):
    """What records of every version begin with."""

    version: int


class FileJournal:
    """Implements `core.ports.Journal` for one rotation.

    `warn` gets a sentence for each thing that a person should know. It gets one for a state
    directory that can't be written, and another only after it could be written in between.

    Raises `ConfigError` where a newer rotator wrote the record: it may hold fields that
    this one would lose.
    """

    def __init__(self, state_dir: Path, rotation: str, warn: Callable[[str], None]) -> None:
        self._dir = state_dir
        self._rotation = rotation
        self._name = f"{rotation}.json"
        self._warn = warn
        self._unsaved: Record | None = None
        self._warned = False
        self._key: bytes | None = None
        _refuse_newer(state_dir / self._name)

    def load(self) -> Record:
        """Return the record last saved, or an empty one where there is none to be read."""
        if self._unsaved is not None:
            return self._unsaved
        try:
            return state.saved_record(self._dir, self._rotation)
        except NotADirectoryError:
            return Record()
        except (OSError, ValueError) as error:
            self._set_aside(self._name, error)
            return Record()

    def save(self, record: Record, *, lasting: bool = True) -> None:
        """Keep the record: in the file when this returns, or in memory and with a warning.

        `lasting`: after a power failure too. Else the file may hold the record before it then.
        """
        try:
            self._write(self._name, f"{record.dump()}\n", lasting=lasting)
        except OSError as error:
            self._unsaved = record
            self._cannot_write(f"the state directory {self._dir} cannot be written", error)
        else:
            self._unsaved = None
            self._warned = False

    def fingerprint(self, text: str) -> str:
        """Return `hmac:` and 12 hexadecimal digits, the same for the same text in this journal."""
        if self._key is None:
            self._key = self._read_key() or self._make_key()
        return fingerprint(self._key, text)

    def _make_key(self) -> bytes:
        key = secrets.token_bytes(KEY_BYTES)
        try:
            self._write(KEY, f"{key.hex()}\n", exclusive=True)
        except FileExistsError:  # another rotation was quicker: its key is everybody's
            return self._read_key() or key
        except OSError as error:
            self._cannot_write(f"the state directory {self._dir} cannot be written", error)
        return key

    def _read_key(self) -> bytes | None:
        try:
            return saved_key(self._dir)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            self._set_aside(KEY, error)
            return None

    def _write(
        self, name: str, text: str, *, exclusive: bool = False, lasting: bool = True
    ) -> None:
        state.prepare(self._dir)
        uid, gid = state.owner(self._dir)
        with atomic_file.directory(self._dir) as opened:
            atomic_file.write(
                opened, name, text, uid=uid, gid=gid, exclusive=exclusive, named=lasting
            )

    def _set_aside(self, name: str, why: Exception) -> None:
        path = self._dir / name
        aside = [self._dir / f"{name}.{number}.set-aside" for number in range(1, SET_ASIDE + 1)]
        try:
            for older, newer in zip(aside[:0:-1], aside[-2::-1], strict=True):
                with suppress(FileNotFoundError):
                    newer.replace(older)
            path.replace(aside[0])
        except OSError as error:
            self._cannot_write(f"{path} cannot be read ({why}) nor set aside", error)
        else:
            self._warn(f"{path} cannot be read ({why}): set aside as {aside[0]}, starting afresh")

    def _cannot_write(self, what: str, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            enters = os.access(self._dir, os.X_OK, effective_ids=True)
            doing = WRITE if enters else OPEN
            hint = explained(self._dir / self._name, doing, error).hint
            self._warn(
                f"{what} ({error.strerror}): going on without; each restart then costs a renewal. "
                f"To do: {hint}; or set `state_dir`"
            )


def _refuse_newer(path: Path) -> None:
    with suppress(OSError, ValueError):  # `load` says what is wrong with it
        version = decode_json(read_plain(path), _Header).version
        if version > VERSION:
            newer = f"newer rotator (version {version} of the journal; this one knows {VERSION})"
            todo = f"give up the journal, which costs a renewal: mv {path} {path}.newer"
            message = f"{path} was written by a {newer}. Install that rotator again, or {todo}"
            raise ConfigError([message])


def fingerprint(key: bytes, text: str) -> str:
    """Return the keyed hash that names a text: `hmac:` and 12 hexadecimal digits."""
    # A lone surrogate, which JSON can hold, is hashed too: it must not fail a cycle.
    digest = hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return f"hmac:{digest.hexdigest()[:12]}"


def saved_key(state_dir: Path) -> bytes:
    """Return the fingerprints' key; raise `OSError` or `ValueError` where it can't be had."""
    key = bytes.fromhex(read_plain(state_dir / KEY).decode("ascii"))
    if len(key) != KEY_BYTES:
        raise ValueError(f"it holds {len(key)} bytes, not {KEY_BYTES}")
    return key
