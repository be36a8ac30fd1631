"""Reads the secrets that `rotator` itself logs in with: from a file or an environment variable."""

from __future__ import annotations

import errno
import os
import re
import stat
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Secret
from rotator.system.input_file import NOT_A_FILE, open_plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LARGEST = 1 << 20  # bytes

SECRET_SHAPES = re.compile(
    r"(glpat-|gldt-|glrt-|glptt-|hv[sbr]\.|s\.[A-Za-z0-9]{24}$|eyJ[A-Za-z0-9_-]+\.|dckr_pat_"
    r"|gh[pousr]_|xox[abp]-|A[KS]IA[A-Z0-9]{16}$|-----BEGIN"
    r"|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$)"
)
"""What tokens look like."""

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_NAMED = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*[=:]\s*(\S.*)$", re.DOTALL)
_BEARER = re.compile(r"(?i:bearer)\s+\S")


class SecretInput(Struct, frozen=True):
    """A `…_file` or `…_env` setting: where a secret is. Exactly one of the two is set.

    It is read again at each use, so that a file replaced on disk counts from the next call on.
    """

    file: Path | None = None
    env: str | None = None

    def read(self) -> Secret:
        """Return the secret, stripped; raise `PermanentError` where there is none."""
        return self._from_environment() if self.file is None else _from_file(self.file)

    def stamp(self) -> str:
        """Return what changes when the secret is replaced, without reading a file.

        A variable changes with a restart, and the stamp may outlive it.
        """
        if self.file is None:
            return digest(os.environ.get(self.env or "", ""))
        try:
            status = self.file.stat()
        except OSError:
            return "missing"
        return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"

    def _from_environment(self) -> Secret:
        text = os.environ.get(self.env or "", "").strip()
        if not text:
            raise PermanentError(
                Reason.FIELD_MISSING,
                f"the environment variable {self.env} is not set",
                f"set {self.env} for the process that runs rotator",
            )
        _refuse_wrapped(text, f"the environment variable {self.env}", str(self.env))
        return Secret(text)


def _from_file(file: Path) -> Secret:
    try:
        with open_plain(file) as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise PermanentError(
            Reason.UNREADABLE,
            f"cannot read the secret file {file}: {error.strerror}",
            _unreadable(file, error),
        ) from error
    text = _decoded(data, file).strip()
    if not text:
        raise PermanentError(
            Reason.FIELD_MISSING,
            f"the secret file {file} is empty",
            f"write the secret into {file}",
        )
    if len(data) > _LARGEST:
        raise PermanentError(
            Reason.TOO_LARGE,
            f"the secret file {file} is larger than {_LARGEST >> 20} MiB, and a secret never is",
            f"see whether it is the right file: ls -l {file}",
        )
    # systemd copies it from there.
    stored = f"/etc/credstore/{file.name} (and systemctl restart rotator)"
    origin = stored if is_from_systemd(file) else str(file)
    _refuse_wrapped(text, f"the secret file {file}", origin)
    return Secret(text)


def is_from_systemd(file: Path) -> bool:
    """Tell whether systemd put a file there for this process: each unit has its own directory."""
    return str(file.parent) == os.environ.get("CREDENTIALS_DIRECTORY")


def _unreadable(file: Path, error: OSError) -> str:
    """Return what to do about a file that can't be read, or is not there."""
    if error.errno in (NOT_A_FILE, errno.EISDIR):
        return f"write the secret into a file, and name that file: ls -ld {file}"
    if not isinstance(error, FileNotFoundError):
        return f"make it readable for the user that runs rotator: ls -l {file}"
    if not is_from_systemd(file):
        return f"write the secret there, or correct the path in the configuration: ls -l {file}"
    return (
        f"put the secret into /etc/credstore: install -D -m 600 FILE /etc/credstore/{file.name} && "
        "systemctl daemon-reload && systemctl restart rotator"
    )


def _decoded(data: bytes, file: Path) -> str:
    """Return a file's text; editors on other systems write a byte order mark, or UTF-16."""
    # Without a mark, every other byte of it is zero.
    zeros = abs(data[::2].count(0) - data[1::2].count(0))
    if data[:2] in _UTF_16 or zeros > len(data) // 4:
        raise PermanentError(
            Reason.MALFORMED,
            f"the secret file {file} is UTF-16 text, and a secret is plain text (UTF-8)",
            f"convert it: iconv -f UTF-16 -t UTF-8 {file} > {file}.new && mv {file}.new {file}",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PermanentError(
            Reason.UNREADABLE,
            f"cannot read the secret file {file}: not a text file",
            f"write the secret into it as text: file {file}",
        ) from error


def _refuse_wrapped(text: str, what: str, name: str) -> None:
    """Raise where there is certainly something around the secret, which a server would reject."""
    for wrapping, inner in wrappings(text):
        if SECRET_SHAPES.match(inner):
            raise PermanentError(
                Reason.MALFORMED,
                f"{what} holds {wrapping}",
                f"write the secret alone into {name}, with nothing around it",
            )


def wrappings(text: str) -> Iterator[tuple[str, str]]:
    """Yield what may be around a secret, in a sentence, and the text without it."""
    named = _NAMED.match(text)
    if named is not None:
        yield f"`{named[1]}=` in front of the secret", named[2].strip("\"'")
    if text[:1] == text[-1:] and text[:1] in {'"', "'"} and len(text) > 1:
        yield "the secret in quotes", text[1:-1]
    if _BEARER.match(text):
        yield "`Bearer` in front of the secret", text.partition(" ")[2].strip()


def digest(text: str) -> str:
    """Return four hexadecimal digits that change with a text: far too few to guess it by."""
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:4]


def readable_by_everybody(file: Path) -> str:
    """Return a sentence where every user of this machine can read a file; else an empty text."""
    try:
        mode = file.stat().st_mode
        parents = [parent.stat().st_mode for parent in file.absolute().parents]
    except OSError:
        return ""
    if not mode & stat.S_IROTH or not all(parent & stat.S_IXOTH for parent in parents):
        return ""
    return f"everybody on this machine can read {file} (mode {stat.S_IMODE(mode):04o})"
