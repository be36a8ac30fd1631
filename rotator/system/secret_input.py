"""Reads the secrets that `rotator` itself logs in with: from a file or an environment variable."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Secret

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 1 << 20
"""Bytes."""


class SecretInput(Struct, frozen=True):
    """A `…_file` or `…_env` setting: where a secret stands. Exactly one of the two is set.

    It is read again at each use, so that a file replaced on disk counts from the next call on.
    """

    file: Path | None = None
    env: str | None = None

    def read(self) -> Secret:
        """Return the secret without the white space around it.

        Raises `PermanentError` (unreadable, field_missing) where there is none.
        """
        return self._from_environment() if self.file is None else _from_file(self.file)

    def stamp(self) -> str:
        """Return what changes when the secret is replaced, without reading a file.

        A variable changes with a restart, and the stamp may be kept over it.
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
        return Secret(text)


def _from_file(file: Path) -> Secret:
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
        text = data.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a text file"
        hint = f"make it readable for the user that runs rotator: ls -l {file}"
        if isinstance(error, FileNotFoundError):
            hint = f"write the secret there, or correct the path in the configuration: ls -l {file}"
        raise PermanentError(
            Reason.UNREADABLE, f"cannot read the secret file {file}: {why}", hint
        ) from error
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
    return Secret(text)


def digest(text: str) -> str:
    """Return four hexadecimal digits that change with a text: far too few to guess it by."""
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:4]
