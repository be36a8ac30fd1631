"""Loads the configuration: which file, what it says, and everything that is wrong with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from rotator.config.crosscheck import crosscheck
from rotator.config.document import read
from rotator.config.reading import Reading
from rotator.config.schema import Configuration
from rotator.config.typed import DEFAULT_FILE
from rotator.config.written_files import written_files
from rotator.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rotator.config.document import Document

SYSTEM_STATE = Path("/var/lib/rotator")


def configuration_file(option: str | None, environ: Mapping[str, str]) -> Path:
    """Return the file to load: the option, else `$ROTATOR_CONFIG`, else the one in /etc."""
    if option is not None:
        return Path(option)
    return Path(environ.get("ROTATOR_CONFIG") or DEFAULT_FILE)


def default_state_dir(environ: Mapping[str, str], uid: int) -> Path:
    """Return where the journal is, unless the configuration says it.

    systemd's `$STATE_DIRECTORY` (the first, where it names several), else /var/lib/rotator for
    root and a directory below `$XDG_STATE_HOME` (default ~/.local/state) for others.
    """
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    if uid == 0:
        return SYSTEM_STATE
    state = environ.get("XDG_STATE_HOME", "")
    if state.startswith("/"):  # the XDG specification: a relative one is to be ignored
        return Path(state, "rotator")
    return Path(environ.get("HOME") or "/", ".local/state/rotator")


class Loaded(NamedTuple):
    """A configuration that is right, and the document that it was read from."""

    configuration: Configuration
    document: Document
    reading: Reading


def load(path: Path, environ: Mapping[str, str]) -> Configuration:
    """Return what `load_whole` reads, without the document."""
    return load_whole(path, environ).configuration


def load_whole(path: Path, environ: Mapping[str, str]) -> Loaded:
    """Read a configuration file and check it whole; no file that it names is read.

    A relative `_file` path is one in `$CREDENTIALS_DIRECTORY` where that is set, else beside the
    configuration file. Raises `ConfigError` with every problem, one a line, in the file's order.
    """
    document = read(path)
    credentials = environ.get("CREDENTIALS_DIRECTORY", "")
    reading = Reading(Path(credentials) if credentials else path.absolute().parent)
    reading.read(Configuration, document.data)
    state_dir = reading.right.get(("state_dir",)) or default_state_dir(environ, os.getuid())
    problems = [
        *reading.problems,
        *crosscheck(document, reading),
        *written_files(document, reading, path, state_dir),
    ]
    found = [(document.place(one.path, at_key=one.at_key), one.message) for one in problems]
    found += document.problems
    if found:
        raise ConfigError(
            [f"{path}:{line}:{column}: {message}" for (line, column), message in sorted(set(found))]
        )
    configuration = replace(reading.right[()], state_dir=state_dir, _file=path.absolute())
    return Loaded(configuration, document, reading)
