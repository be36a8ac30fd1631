"""A credential helper that answers something else, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import DriverError, PermanentError, Reason, TemporaryError
from rotator.core.model import Secret
from rotator.sources.credential_helper import LARGEST_ANSWER
from tests.fakes.credential_helper import SECRET, answer, ended
from tests.support import until
from tests.unit.sources.credential_helper.helper import HOST, failure, source

if TYPE_CHECKING:
    from pathlib import Path

MISBEHAVING = {
    "crashes": ("kill -SEGV $$", TemporaryError, Reason.UNAVAILABLE, "signal 11 (Segmentation"),
    "ends with a code": ("exit 3", TemporaryError, Reason.UNAVAILABLE, "exit code 3"),
    "tells its secret in its log": (f"echo {SECRET} >&2; exit 1", TemporaryError,
        Reason.UNAVAILABLE, "exit code 1"),
    "tells its secret as its error": (f"echo bad password {SECRET}; exit 1", TemporaryError,
        Reason.UNAVAILABLE, "exit code 1"),
    "says nothing": ("exit 0", PermanentError, Reason.MALFORMED, "is empty"),
    "prints text": (f"echo {SECRET}", PermanentError, Reason.MALFORMED, "not a JSON object"),
    "prints half": (f"""echo '{{"Secret": "{SECRET}'""", PermanentError, Reason.MALFORMED,
        "not a JSON object"),
    "prints a list": (f"""echo '["{SECRET}"]'""", PermanentError, Reason.MALFORMED, "JSON object"),
    "prints bytes": (r"printf '\377\376'", PermanentError, Reason.MALFORMED, "JSON object"),
    "nests deeply": ("yes '[' | head -n 30000 | tr -d '\\n'", PermanentError, Reason.MALFORMED,
        "JSON object"),
    "number for a secret": ("""echo '{"Username": "ci", "Secret": 1}'""", PermanentError,
        Reason.MALFORMED, "not text"),
    "half a character": (r"""printf '%s' '{"Username": "ci", "Secret": "\ud800"}'""",
        PermanentError, Reason.MALFORMED, "not text"),
    "floods": (f"yes {SECRET}", PermanentError, Reason.TOO_LARGE,
        f"more than {LARGEST_ANSWER} bytes"),
    "colon in its username": (answer("a:b"), PermanentError, Reason.INVALID, "colon"),
    "no username": (answer(""), PermanentError, Reason.FIELD_MISSING, "has no username"),
    "no secret": (answer("ci", ""), PermanentError, Reason.FIELD_MISSING, "has no secret"),
    "neither": (answer("", ""), PermanentError, Reason.NOT_FOUND, "knows no login"),
    "null": ("""echo '{"Username": null}'""", PermanentError, Reason.NOT_FOUND, "knows no login"),
    "no interpreter": ("#!/nowhere/sh\n", PermanentError, Reason.INVALID, "cannot start"),
    "no program": ("#!", PermanentError, Reason.INVALID, "cannot start"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISBEHAVING)
def test_misbehaves(folder: Path, case: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Each misbehaviour has its reason; nothing that the helper printed is passed on."""
    script, kind, reason, words = MISBEHAVING[case]
    error = failure(source(folder, script))
    assert (type(error), error.reason) == (kind, reason)
    assert words in error.detail
    assert HOST in error.detail or "cannot start" in error.detail
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "kind", "reason", "hint"),
    [
        (
            "credentials not found in native keychain",
            PermanentError,
            Reason.NOT_FOUND,
            f"docker login {HOST}",
        ),
        (
            "no credentials server URL",
            PermanentError,
            Reason.INVALID,
            f"echo {HOST} | docker-credential-spy get",
        ),
        ("no credentials username", PermanentError, Reason.FIELD_MISSING, f"docker login {HOST}"),
        (
            "pass not initialized: exit status 1: Error",
            PermanentError,
            Reason.NOT_FOUND,
            "pass init",
        ),
        (
            "dial tcp: lookup metadata.google.internal: no such host",
            TemporaryError,
            Reason.UNREACHABLE,
            "proxy, firewall, DNS",
        ),
        (
            "dial tcp 169.254.169.254:80: connect: connection refused",
            TemporaryError,
            Reason.UNREACHABLE,
            "proxy, firewall, DNS",
        ),
        (
            "dial tcp 10.0.0.1:443: i/o timeout",
            TemporaryError,
            Reason.UNREACHABLE,
            "proxy, firewall, DNS",
        ),
    ],
)
def test_known_errors(
    folder: Path, text: str, kind: type[DriverError], reason: Reason, hint: str
) -> None:
    """The protocol's own error texts, and usual ones of the network, become plain reasons."""
    error = failure(source(folder, f"echo '{text}'; exit 1"))
    assert (type(error), error.reason) == (kind, reason)
    assert hint in error.hint


@pytest.mark.parametrize("hanging", ["sleep 600", "sleep 600 & echo $! >{0}/child; wait"])
def test_hangs(folder: Path, hanging: str) -> None:
    """A helper that hangs is ended after its timeout, with all that it started."""
    script = f"echo $$ >{folder}/child; {hanging.format(folder)}"
    error = failure(source(folder, script, timeout=0.5))
    assert (type(error), error.reason) == (TemporaryError, Reason.TIMEOUT)
    assert "within 0.5 s" in error.detail
    assert "raise timeout" in error.hint
    until(lambda: ended(int((folder / "child").read_text())), what="the helper to end")


def test_timeout_is_for_all(folder: Path) -> None:
    """Several registries don't take longer than one: the timeout counts for all together."""
    slow = source(folder, f"sleep 0.4; {answer()}", "a.example.com", "b.example.com", timeout=0.6)
    assert failure(slow).reason is Reason.TIMEOUT


def test_child_lives_on(folder: Path) -> None:
    """A child that holds the output open does not keep a good answer back."""
    script = f"sleep 600 & echo $! >{folder}/child; {answer()}"
    (credential,) = source(folder, script).fetch(())
    assert credential.password == Secret(SECRET)
    until(lambda: ended(int((folder / "child").read_text())), what="the child to end")
