"""Which certificates are trusted: the system's authorities and one file, or any."""

from __future__ import annotations

import ssl
from pathlib import Path

from rotator.http.client import NoAnswerError
from rotator.system.cache import Cache


class Trust:
    """The TLS settings for registries. `ca_file` is added to the system's authorities."""

    def __init__(self, ca_file: Path | None) -> None:
        self._ca_file = ca_file
        self._contexts: Cache[ssl.SSLContext] = Cache()

    def context(self, *, lax: bool) -> ssl.SSLContext:
        """Return whom to trust, read again where that changed: a daemon outlives certificates."""
        paths = ssl.get_default_verify_paths()
        files = [Path(each) for each in (paths.cafile, paths.capath, self._ca_file) if each]
        return self._contexts.get(lax, files, _anybody if lax else self._authorities)

    def _authorities(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca_file is not None:
            try:
                context.load_verify_locations(self._ca_file)
            except OSError as error:
                raise NoAnswerError(
                    f"the CA file {self._ca_file} can't be used: {error.strerror}"
                ) from error
        return context


def _anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
