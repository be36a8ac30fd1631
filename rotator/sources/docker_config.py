"""Credentials that stand in another docker config file, as `docker login` writes it.

The file is read again at each fetch, so that a login somebody renewed there counts from the next
poll on. Its entries have no end.

An entry with `identitytoken` is carried as such (user name `<token>`), and counts before a password
beside it, as in Docker. `docker login` without a password (the web login of Docker Hub) also writes
`https://index.docker.io/v1/access-token` and `…/refresh-token`: these are no registries
(https://github.com/docker/cli/blob/v29.0.0/cli/internal/oauth/manager/manager.go).
"""

from __future__ import annotations

import errno
from io import TextIOWrapper
from typing import TYPE_CHECKING

from rotator.core.docker_config import DockerConfig, decode
from rotator.core.docker_entry import DOCKER_HUB, registry_key
from rotator.core.error_rules import ErrorRule, Evidence, classify, on
from rotator.core.errors import PermanentError, Reason, TemporaryError
from rotator.core.model import Credential
from rotator.core.ports import Clock, Source
from rotator.http.reading import object_in
from rotator.system.input_file import NOT_A_FILE, open_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rotator.config.sources import DockerConfigSourceSettings

LIMIT = 1 << 20  # characters: a docker config is some kilobytes; what is longer is another file

# As `registry_key` has them.
_WEB_LOGIN = frozenset(registry_key(f"{DOCKER_HUB}{name}-token") for name in ("access", "refresh"))
_READ_ERRORS = (
    ErrorRule(on(errno=errno.ENOENT), Reason.NOT_FOUND,
        "log in there: docker --config {folder} login REGISTRY"),
    ErrorRule(on(errno=errno.EISDIR), Reason.UNREADABLE,
        "Docker makes a directory of a missing file that a job mounts: rmdir {path}, then log in"),
    ErrorRule(on(errno=NOT_A_FILE), Reason.UNREADABLE,
        "set `path` to a docker config file; see what it is: ls -l {path}"),
    ErrorRule(on(), Reason.UNREADABLE,
        "make it readable for the user that runs rotator: ls -l {path}"),
)  # fmt: skip


class DockerConfigSource(Source):
    """Takes the logins of the docker config file at `path`: all, or those of `registries`."""

    changes_early = True

    def __init__(self, settings: DockerConfigSourceSettings, clock: Clock) -> None:
        super().__init__(settings.name, settings.known_registries())
        self._path = settings.path
        self._clock = clock

    def fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:  # noqa: ARG002  the file is read whatever was in it before
        """Return the file's logins, without an end; an empty file is a `TemporaryError`."""
        text = self._read()
        try:
            config = decode(text)
        except PermanentError as error:
            raise PermanentError(
                error.reason,
                f"{self._path}: {error.detail}",
                f"correct it or log in again: python3 -m json.tool {self._path} shows the place",
            ) from None
        logins = {key: login for key, login in config.logins().items() if key not in _WEB_LOGIN}
        wanted = logins.keys() if self.registries is None else self.registries
        lacking = sorted(wanted - logins.keys())
        if lacking or not wanted:
            raise self._no_login(config, lacking)
        now = self._clock()
        return [Credential(registry, *logins[registry], now) for registry in sorted(wanted)]

    def _read(self) -> str:
        try:
            with TextIOWrapper(open_plain(self._path), "utf-8") as file:
                text = file.read(LIMIT + 1)
        except OSError as error:
            what = f"cannot read the docker config {self._path}: {error.strerror}"
            given = {"path": self._path, "folder": self._path.parent}
            raise classify(_READ_ERRORS, Evidence(error=error), what, given) from error
        except UnicodeDecodeError:
            raise PermanentError(
                Reason.MALFORMED,
                f"{self._path} is no docker config: it is not UTF-8 text",
                f"correct it or log in again: file {self._path} shows what it is",
            ) from None
        if len(text) > LIMIT:
            raise PermanentError(
                Reason.TOO_LARGE,
                f"{self._path} is longer than {LIMIT} characters, and a docker config never is",
                f"see whether `path` is the right file: ls -l {self._path}",
            )
        if not text.strip():
            raise TemporaryError(
                Reason.MALFORMED,
                f"{self._path} is empty: somebody is rewriting it, or it was truncated",
                f"if this stays, log in again: docker --config {self._path.parent} login REGISTRY",
            )
        return text

    def _no_login(self, config: DockerConfig, lacking: Sequence[str]) -> PermanentError:
        """Say why these registries (none: any) have no username and password in the file."""
        registries = ", ".join(lacking) or "any registry"
        why = "there is no entry"
        hint = f"log in there: docker --config {self._path.parent} login REGISTRY"
        if helper := _helper(config, lacking):
            why = f"the file leaves that to the credential helper {helper}"
            hint = f"make the helper the source: type: credential_helper, helper: {helper}"
        elif any(registry_key(key) in lacking or not lacking for key in config.auths):
            why = "its entry holds no login that clients can decode"
            hint = hint.replace("there", "again", 1)
        return PermanentError(
            Reason.FIELD_MISSING, f"{self._path} has no login for {registries}: {why}", hint
        )


def _helper(config: DockerConfig, registries: Sequence[str]) -> str | None:
    """Return the credential helper that the file names for one of these registries, or for all."""
    named = [
        name
        for key, name in object_in(config.rest.get("credHelpers")).items()
        if not registries or registry_key(key) in registries
    ]
    candidates = [*named, config.rest.get("credsStore")]
    return next((name for name in candidates if name and isinstance(name, str)), None)


build = DockerConfigSource
"""Returns the source that the configuration describes."""
