"""Reads the secrets that `rotator` itself logs in with: from a file or an environment variable."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Secret

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class SecretInput:
    """A `…_file` or `…_env` setting: where a secret stands. Exactly one of the two is set.

    It is read again at each use, so that a file replaced on disk counts from the next call on.
    """

    file: Path | None = None
    env: str | None = None

    def read(self) -> Secret:
        """Return the secret without the white space around it.

        Raises `PermanentError` (unreadable, field_missing) where there is none.
        """
        if self.file is None:
            return self._from_environment()
        try:
            text = self.file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not a text file"
            raise PermanentError(
                Reason.UNREADABLE,
                f"cannot read the secret file {self.file}: {why}",
                f"make it readable for the user that runs rotator: ls -l {self.file}",
            ) from error
        if not text:
            raise PermanentError(
                Reason.FIELD_MISSING,
                f"the secret file {self.file} is empty",
                f"write the secret into {self.file}",
            )
        return Secret(text)

    def stamp(self) -> str | None:
        """Return what changes when the secret is replaced, without reading it."""
        if self.file is None:
            return None
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
