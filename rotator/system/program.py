"""Runs a program that is not ours: bounded in time and output, and nothing of it is left behind."""

from __future__ import annotations

import os
import selectors
import signal
import time
from contextlib import suppress
from subprocess import DEVNULL, PIPE, Popen
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_PASSED_ON = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "DOCKER_CONFIG", "GNUPGHOME"}
    | {"DBUS_SESSION_BUS_ADDRESS", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "KUBECONFIG"}
    | {"http_proxy", "https_proxy", "no_proxy", "all_proxy"}
    # Managed identities in Azure's App Service, Functions and Arc.
    | {"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET"}
)
_PASSED_ON_BY_PREFIX = (
    *("LC_", "XDG_", "PASSWORD_STORE_", "KUBERNETES_SERVICE_", "AAD_"),
    *("AWS_", "AZURE_", "ACR_", "GOOGLE_", "CLOUDSDK_", "GCE_METADATA_", "OCI_", "ALIBABA_CLOUD_"),
)


class ProgramTimeoutError(Exception):
    """The program did not end in time."""


class ProgramOutputError(Exception):
    """The program printed more than is taken from it."""


def passed_on(variables: Mapping[str, str]) -> dict[str, str]:
    """Return what a program sees of an environment: never the secrets of `rotator`.

    It is what a credential helper or a kubeconfig's plugin finds its own login with. A program
    that needs another variable is started by a small script that sets it.
    """
    passed = (n for n in variables if n in _PASSED_ON or n.startswith(_PASSED_ON_BY_PREFIX))
    return {name: variables[name] for name in passed}


def run(
    command: Sequence[str],
    question: bytes,
    environment: Mapping[str, str],
    seconds: float,
    limit: int,
) -> tuple[int, bytes]:
    """Give `question` (less than a pipe holds, 64 KiB) to a program, return exit code and output.

    A negative code is the signal that ended it. Its standard error goes nowhere. When this returns
    or raises, the program and everything in its process group is gone; a child that made a session
    of its own, as daemons do, lives on.

    Raises `ProgramTimeoutError` after `seconds`, `ProgramOutputError` beyond `limit` bytes, and
    `OSError` where the program can't be started.
    """
    with Popen(  # noqa: S603  which program is the caller's to judge
        command,
        bufsize=0,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            stdin = cast("IO[bytes]", process.stdin)
            # A program that reads nothing may give the answer all the same.
            with suppress(BrokenPipeError):
                stdin.write(question)
            stdin.close()
            output = _read(process, time.monotonic() + seconds, limit)
        finally:
            # Before it is reaped: only so long is the number surely still its group's.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output


def _read(process: Popen[bytes], deadline: float, limit: int) -> bytes:
    """Return the program's output until it ends, also where others hold the output open."""
    stdout = cast("IO[bytes]", process.stdout)
    os.set_blocking(stdout.fileno(), False)
    output = b""
    with selectors.DefaultSelector() as selector, os.fdopen(os.pidfd_open(process.pid)) as end:
        selector.register(stdout, selectors.EVENT_READ)
        selector.register(end, selectors.EVENT_READ)
        while (remaining := deadline - time.monotonic()) > 0:
            ready = {key.fileobj for key, _ in selector.select(remaining)}
            while chunk := stdout.read(limit + 1):
                output += chunk
                if len(output) > limit:
                    raise ProgramOutputError
            if end in ready:
                return output
            if chunk == b"" and stdout in ready:  # closed: it would always be ready
                selector.unregister(stdout)
    raise ProgramTimeoutError
