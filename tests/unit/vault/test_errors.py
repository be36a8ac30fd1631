"""From what a Vault server answers, or does not, to the error that an operator reads."""

from __future__ import annotations

import base64
import ssl
import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from requests import exceptions as http

from rotator.core.errors import (
    DriverError,
    LoginRejectedError,
    PermanentError,
    Reason,
    TemporaryError,
)
from rotator.vault.errors import failed
from tests.fakes.vault_door import Answer, VaultDoor, refusal
from tests.integration.vault_tools import token_login, vault_source

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "s3cr3t-token/+of=root"
HTTP_DATE = {
    "Retry-After": "Mon, 23 Nov 2026 10:00:30 GMT",
    "Date": "Mon, 23 Nov 2026 10:00:00 GMT",
}


def fetched(door: VaultDoor, folder: Path, token: str = TOKEN) -> DriverError:
    """Return the error that a fetch ends in."""
    source = vault_source(door.url, token_login(folder, token), path="secret/harbor")
    with pytest.raises(DriverError) as caught:
        source.fetch([])
    return caught.value


@pytest.mark.parametrize(
    ("answer", "kind", "reason", "hint"),
    [
        pytest.param(refusal(400, "bad"), PermanentError, Reason.INVALID, "server names", id="400"),
        pytest.param(
            Answer(400, "Client sent an HTTP request to an HTTPS server.\n"),
            PermanentError,
            Reason.INVALID,
            "https://",
            id="400 plain HTTP",
        ),
        pytest.param(
            Answer(401, "<html>no</html>"),
            TemporaryError,
            Reason.UNAVAILABLE,
            "before Vault",
            id="401 of a proxy",
        ),
        pytest.param(
            refusal(403, "1 error occurred:\n\t* permission denied\n\n"),
            PermanentError,
            Reason.FORBIDDEN,
            'path "secret/data/harbor" { capabilities = ["read"] }',
            id="403",
        ),
        pytest.param(refusal(404), PermanentError, Reason.NOT_FOUND, "vault kv list", id="404"),
        pytest.param(refusal(405), PermanentError, Reason.INVALID, "`method`", id="405"),
        pytest.param(Answer(408), TemporaryError, Reason.TIMEOUT, "again", id="408"),
        pytest.param(refusal(412), TemporaryError, Reason.UNAVAILABLE, "again", id="412"),
        pytest.param(refusal(413), PermanentError, Reason.TOO_LARGE, "limit", id="413"),
        pytest.param(
            Answer(418), TemporaryError, Reason.UNAVAILABLE, "`address`", id="418 without words"
        ),
        pytest.param(refusal(429), TemporaryError, Reason.THROTTLED, "quota", id="429"),
        pytest.param(refusal(500, "oh"), TemporaryError, Reason.UNAVAILABLE, "again", id="500"),
        pytest.param(
            refusal(500, "put failed due to value being too large"),
            PermanentError,
            Reason.TOO_LARGE,
            "limit",
            id="500 too large",
        ),
        pytest.param(refusal(501), TemporaryError, Reason.UNAVAILABLE, "operator init", id="501"),
        pytest.param(Answer(502, "<html>"), TemporaryError, Reason.UNAVAILABLE, "again", id="502"),
        pytest.param(
            refusal(503, "Vault is sealed"),
            TemporaryError,
            Reason.UNAVAILABLE,
            "vault operator unseal",
            id="503 sealed",
        ),
        pytest.param(Answer(503), TemporaryError, Reason.UNAVAILABLE, "again", id="503"),
        pytest.param(Answer(504), TemporaryError, Reason.TIMEOUT, "again", id="504"),
        pytest.param(Answer(599), TemporaryError, Reason.UNAVAILABLE, "again", id="599"),
        pytest.param(
            Answer(200, "<html>log in</html>"),
            PermanentError,
            Reason.MALFORMED,
            "login page",
            id="a page",
        ),
        pytest.param(Answer(200, "[]"), PermanentError, Reason.MALFORMED, "proxy", id="a list"),
        pytest.param(
            Answer(200, '{"data": {"data": {}}}'),
            PermanentError,
            Reason.FIELD_MISSING,
            "username_field",
            id="no fields",
        ),
        pytest.param(
            Answer(200, '{"data": {"data": "text", "metadata": []}}'),
            PermanentError,
            Reason.NOT_FOUND,
            "vault kv list",
            id="no object",
        ),
    ],
)
def test_answers(
    door: VaultDoor,
    tmp_path: Path,
    answer: Answer,
    kind: type[DriverError],
    reason: Reason,
    hint: str,
) -> None:
    """Each answer gets its reason, whether waiting helps, and what to do."""
    door.rude["secret/data"] = answer
    error = fetched(door, tmp_path)
    assert type(error) is kind
    assert error.reason is reason
    assert hint in error.hint
    assert "secret/" in error.detail
    assert door.url in error.detail


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"Retry-After": "17"}, 17.0, id="seconds"),
        pytest.param(HTTP_DATE, 30.0, id="a date"),
        pytest.param({**HTTP_DATE, "Date": HTTP_DATE["Retry-After"]}, 0.0, id="the same date"),
        pytest.param({"Retry-After": "soon"}, None, id="nonsense"),
    ],
)
def test_retry_after(
    door: VaultDoor, tmp_path: Path, headers: dict[str, str], seconds: float | None
) -> None:
    """The wait that the server asks for is handed on."""
    door.rude["secret/data"] = refusal(429, headers=headers)
    error = fetched(door, tmp_path)
    assert isinstance(error, TemporaryError)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("words", "rejected"),
    [
        pytest.param(["permission denied"], True, id="OpenBao"),
        pytest.param(
            ["2 errors occurred:\n\t* permission denied\n\t* invalid token"], True, id="V"
        ),
        pytest.param(["bad token"], True, id="old Vault"),
        pytest.param(["1 error occurred:\n\t* permission denied\n\n"], False, id="policy"),
    ],
)
def test_bad_token(door: VaultDoor, tmp_path: Path, words: list[str], *, rejected: bool) -> None:
    """A token that the server does not know is told from one whose policies deny."""
    door.rude["lookup-self"] = refusal(403, *words)
    door.rude["secret/data"] = refusal(403, *words)
    error = fetched(door, tmp_path)
    assert isinstance(error, LoginRejectedError) == rejected


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(TOKEN, id="as it is"),
        pytest.param(quote(TOKEN, safe=""), id="in a URL"),
        pytest.param(base64.b64encode(TOKEN.encode()).decode(), id="base64"),
        pytest.param("https://admin:s3cr3t-db@db.example.com/x", id="another login"),
    ],
)
def test_repeated_secrets(door: VaultDoor, tmp_path: Path, form: str) -> None:
    """A server that repeats a secret in its words does not get it into ours."""
    door.rude["secret/data"] = refusal(500, f"cannot use {form} for that")
    error = fetched(door, tmp_path)
    assert "cannot use" in error.detail
    shown = "".join(traceback.format_exception(error)) + error.hint
    assert form not in shown
    assert "s3cr3t" not in shown


@pytest.mark.parametrize(
    "token", ["s3cr3t-with\nline", "s3cr3t-\N{SNOWMAN}", "s3cr3t-\x7f\N{SNOWMAN}"]
)
def test_token_that_no_header_carries(door: VaultDoor, tmp_path: Path, token: str) -> None:
    """A token with strange characters is said to be that, and not shown."""
    error = fetched(door, tmp_path, token)
    assert error.reason is Reason.MALFORMED
    assert "s3cr3t" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("cause", "kind", "reason", "hint"),
    [
        pytest.param(
            http.SSLError("CERTIFICATE_VERIFY_FAILED: certificate has expired"),
            PermanentError,
            Reason.UNREACHABLE,
            "clock",
            id="expired",
        ),
        pytest.param(
            http.SSLError("CERTIFICATE_VERIFY_FAILED: self-signed certificate"),
            PermanentError,
            Reason.UNREACHABLE,
            "`ca_file`",
            id="not trusted",
        ),
        pytest.param(
            http.SSLError("TLSV13_ALERT_CERTIFICATE_REQUIRED"),
            PermanentError,
            Reason.UNREACHABLE,
            "`client_cert_file`",
            id="wants a certificate",
        ),
        pytest.param(
            http.SSLError("EOF occurred"), TemporaryError, Reason.UNREACHABLE, "runs", id="broken"
        ),
        pytest.param(
            http.ConnectTimeout(), TemporaryError, Reason.TIMEOUT, "reach", id="connect timeout"
        ),
        pytest.param(http.ReadTimeout(), TemporaryError, Reason.TIMEOUT, "status", id="timeout"),
        pytest.param(
            http.ConnectionError("Failed to resolve 'vault'"),
            TemporaryError,
            Reason.UNREACHABLE,
            "DNS",
            id="no such name",
        ),
        pytest.param(
            http.TooManyRedirects(), PermanentError, Reason.INVALID, "address", id="redirects"
        ),
        pytest.param(
            http.ChunkedEncodingError(), TemporaryError, Reason.UNREACHABLE, "runs", id="cut off"
        ),
    ],
)
def test_failures(cause: Exception, kind: type[DriverError], reason: Reason, hint: str) -> None:
    """Each way for a request to fail gets its reason, whether waiting helps, and what to do."""
    error = failed(cause, "cannot read")
    assert (type(error), error.reason) == (kind, reason)
    assert hint in error.hint


def test_unknown_failure() -> None:
    """A failure that the table does not know is a bug, and comes through as it is."""
    with pytest.raises(ssl.SSLError):
        failed(ssl.SSLError("not wrapped by the library"), "cannot read")
