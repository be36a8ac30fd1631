"""Credentials from a Docker credential helper: every registry that has a `docker-credential-NAME`.

The protocol: `docker-credential-NAME get` reads the registry's name (as in `auths`) from standard
input. It writes `{"ServerURL": …, "Username": …, "Secret": …}` to standard output, or an error
text, and then ends with an exit code other than 0
(https://github.com/docker/docker-credential-helpers#development).

The user name `<token>` says that the secret is an identity token, as Azure's helpers give: it is
carried as such.

A helper is somebody else's program and may print its secret anywhere, so nothing that it says is
repeated: its standard error goes nowhere, and its error texts are only compared with known ones.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import time
from typing import TYPE_CHECKING, TypeGuard

from rotator.core.error_rules import ErrorRule, Evidence, classify, on
from rotator.core.errors import DriverError, PermanentError, Reason, TemporaryError
from rotator.core.model import Credential, Secret
from rotator.core.ports import Clock, Source
from rotator.system.program import ProgramOutputError, ProgramTimeoutError, passed_on, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rotator.config.sources import CredentialHelperSourceSettings

LARGEST_ANSWER = 64 * 1024  # bytes; the largest tokens in use (Azure, ECR) have a few thousand

_PACKAGES = {
    "ecr-login": "apt-get install amazon-ecr-credential-helper (or use the source type ecr)",
    "gcloud": "install the Google Cloud CLI",
    "gcr": "see https://github.com/GoogleCloudPlatform/docker-credential-gcr",
    "acr-env": "see https://github.com/chrismellard/docker-credential-acr-env",
    "pass": "apt-get install golang-docker-credential-helpers pass",
    "secretservice": "apt-get install golang-docker-credential-helpers",
}

_LOG_IN = "log in as the user that runs rotator, where docker uses this helper: docker login {url}"
_TRY = "see what it says, as the user that runs rotator: echo {url} | {program} get"
_REACH = "see whether this machine reaches what the helper asks (proxy, firewall, DNS): {program}"
_UNLOCK = "the user that runs rotator must be able to use the GPG key without being asked"


def _says(
    text: str, reason: Reason, hint: str, kind: type[DriverError] = PermanentError
) -> ErrorRule:
    return ErrorRule(on(text=text), reason, hint, f": {text}", kind)


_FAILURES = (
    # The protocol's own: https://github.com/docker/docker-credential-helpers credentials/error.go
    _says("credentials not found in native keychain", Reason.NOT_FOUND, _LOG_IN),
    _says("no credentials server URL", Reason.INVALID, _TRY),
    _says("no credentials username", Reason.FIELD_MISSING, _LOG_IN),
    # docker-credential-pass, and then Go's network code, which most helpers are built on.
    _says("pass not initialized", Reason.NOT_FOUND, "set it up first: pass init KEY"),
    _says("decryption failed", Reason.FORBIDDEN, _UNLOCK),
    _says("no such host", Reason.UNREACHABLE, _REACH, TemporaryError),
    _says("connection refused", Reason.UNREACHABLE, _REACH, TemporaryError),
    _says("i/o timeout", Reason.UNREACHABLE, _REACH, TemporaryError),
    ErrorRule(on(), Reason.UNAVAILABLE, _TRY, " with {how}", TemporaryError),
)
"""What a helper's text means; nothing of it is repeated but what is searched for."""

# Errors of starting a program that pass: the machine lacks something for a short time.
_BUSY = (errno.EAGAIN, errno.ENOMEM, errno.ETXTBSY)


class CredentialHelperSource(Source):
    """Runs the helper once for each registry; `timeout` is for all of them together."""

    def __init__(
        self,
        settings: CredentialHelperSourceSettings,
        clock: Clock,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        super().__init__(settings.name, settings.known_registries())
        self._settings = settings
        self._clock = clock
        self._environment = environment
        self._program = f"docker-credential-{settings.helper}"

    def fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:  # noqa: ARG002  a helper can't renew
        """Return what the helper says for each registry; raises `DriverError`."""
        path = self._find()
        deadline = time.monotonic() + self._settings.timeout.total_seconds()
        return [self._get(path, each, deadline) for each in sorted(self._settings.registries)]

    def _find(self) -> str:
        """Return the helper's path, searched each time because it may be installed meanwhile."""
        folders = self._environment.get("PATH", os.defpath)
        path = shutil.which(self._program, path=folders)
        if path is not None:
            return path
        found = shutil.which(self._program, os.F_OK, folders)
        if found is not None:
            raise PermanentError(
                Reason.INVALID, f"{found} is not executable", f"make it so: chmod +x {found}"
            )
        how = _PACKAGES.get(self._settings.helper, f"install {self._program} where PATH finds it")
        raise PermanentError(
            Reason.NOT_FOUND,
            f"the credential helper {self._program} is not installed: it is not in {folders}",
            how,
        )

    def _get(self, path: str, registry: str, deadline: float) -> Credential:
        # Before the run, so that the end is never too late.
        issued_at = self._clock()
        output = self._run(path, registry, deadline)
        username, password = self._parse(output, registry)
        lifetime = self._settings.lifetime
        expires_at = None if lifetime is None else issued_at + lifetime
        return Credential(registry, username, Secret(password), issued_at, expires_at)

    def _run(self, path: str, registry: str, deadline: float) -> bytes:
        seconds = max(0, deadline - time.monotonic())
        where, hint = f"{self._program} for {registry}", self._hint(_TRY, registry)
        try:
            environment = passed_on(self._environment)
            code, output = run(
                [path, "get"], registry.encode(), environment, seconds, LARGEST_ANSWER
            )
        except ProgramTimeoutError:
            took = f"{self._settings.timeout.total_seconds():g} s"
            detail = f"{where} did not end within {took} and was killed"
            hint += "; if it is only slow, raise timeout"
            raise TemporaryError(Reason.TIMEOUT, detail, hint) from None
        except ProgramOutputError:
            detail = f"{where} printed more than {LARGEST_ANSWER} bytes and was killed"
            raise PermanentError(Reason.TOO_LARGE, detail, hint) from None
        except OSError as error:
            detail = f"cannot start {path}: {error.strerror}"
            if error.errno in _BUSY:
                raise TemporaryError(Reason.UNAVAILABLE, detail, hint) from error
            raise PermanentError(Reason.INVALID, detail, hint) from error
        if code:
            how = f"exit code {code}" if code > 0 else f"signal {-code} ({signal.strsignal(-code)})"
            given = {"how": how, "url": registry, "program": self._program}
            evidence = Evidence(text=output.decode("utf-8", "replace"))
            raise classify(_FAILURES, evidence, f"{self._program} failed for {registry}", given)
        return output

    def _parse(self, output: bytes, registry: str) -> tuple[str, str]:
        """Return username and secret as docker would read them: the first JSON value, any case."""
        where, hint = f"the answer of {self._program} for {registry}", self._hint(_TRY, registry)
        try:
            answer, _ = json.JSONDecoder().raw_decode(output.decode().lstrip())
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            what = "is not a JSON object" if output.strip() else "is empty"
            raise PermanentError(Reason.MALFORMED, f"{where} {what}", hint)
        fields = {key.lower(): value for key, value in answer.items()}
        username, secret = fields.get("username") or "", fields.get("secret") or ""
        if problem := _problem(username, secret):
            reason, what, hint = problem
            raise PermanentError(reason, f"{where} {what}", self._hint(hint, registry))
        return username, secret

    def _hint(self, hint: str, registry: str) -> str:
        return hint.format(url=registry, program=self._program)


def _problem(username: object, secret: object) -> tuple[Reason, str, str] | None:
    """Return what keeps this pair from being a login that every client takes, and what to do."""
    if not _is_text(username) or not _is_text(secret):
        return Reason.MALFORMED, "has a username or secret that is not text", _TRY
    if not username and not secret:
        return Reason.NOT_FOUND, "is that it knows no login", _LOG_IN
    if not username or not secret:
        lacking = "secret" if username else "username"
        return Reason.FIELD_MISSING, f"has no {lacking}", _LOG_IN
    if ":" in username:
        return Reason.INVALID, "has a colon in its username, which no client can send", _LOG_IN
    return None


def _is_text(value: object) -> TypeGuard[str]:
    """Return whether this is text that can be encoded: JSON can hold a lone surrogate."""
    return isinstance(value, str) and value.encode("utf-8", "replace").decode() == value


build = CredentialHelperSource
"""Returns the source that the configuration describes."""
