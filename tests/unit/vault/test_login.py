"""From what a Vault server answers to each login, to the error that an operator reads."""

from __future__ import annotations

import base64
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from rotator.core.errors import (
    DriverError,
    LoginRejectedError,
    PermanentError,
    Reason,
    TemporaryError,
)
from tests.fakes.vault_door import Answer, VaultDoor, refusal
from tests.integration.vault_tools import vault_source
from tests.secret_search import SecretSearch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "s3cr3t-of/the+login=="
NOWHERE = "http://127.0.0.1:1"
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "s3cr3t-aws-key",
    "AWS_SESSION_TOKEN": SECRET,
}
LOGINS: dict[str, tuple[dict[str, Any], str]] = {
    "approle": ({"role_id": "ci", "secret_id_file": "secret"}, "make a new secret id"),
    "kubernetes": ({"role": "ci", "jwt_file": "secret"}, "bind the service account"),
    "jwt": ({"role": "ci", "jwt_file": "secret"}, "bound_audiences"),
    "cert": ({"role": "ci"}, "vault list auth/cert/certs"),
    "userpass": ({"username": "ci", "password_file": "secret"}, "`password_file`"),
    "aws": ({"role": "ci"}, "bind the AWS role"),
}
"""Each login's settings, and what its hint names where the login itself is refused."""

ANSWERS: dict[str, tuple[Answer, type[DriverError], Reason, str]] = {
    "400": (refusal(400, "invalid {}"), LoginRejectedError, Reason.LOGIN_REJECTED, ""),
    "401": (refusal(401, "invalid {}"), LoginRejectedError, Reason.LOGIN_REJECTED, ""),
    "403": (refusal(403, "no {}"), LoginRejectedError, Reason.LOGIN_REJECTED, "or correct `mount`"),
    "404": (refusal(404, "no {}"), PermanentError, Reason.NOT_FOUND, "vault auth list"),
    "413": (refusal(413, "big {}"), PermanentError, Reason.TOO_LARGE, "the server has a limit"),
    "429": (refusal(429, "slow {}"), TemporaryError, Reason.THROTTLED, "quotas"),
    "500": (refusal(500, "oh {}"), TemporaryError, Reason.UNAVAILABLE, "tried again"),
    "503": (refusal(503, "sealed {}"), TemporaryError, Reason.UNAVAILABLE, "vault operator unseal"),
    "a load balancer's 400": (Answer(400, "<html><title>Bad Request</title>nginx {}</html>"),
        TemporaryError, Reason.UNAVAILABLE, "before Vault"),
    "a firewall's 401": (Answer(401, "go {}"), TemporaryError, Reason.UNAVAILABLE, "before Vault"),
    "a firewall's 403": (Answer(403, "<style>p{}</style><p>blocked by policy {}</p>"),
        TemporaryError, Reason.UNAVAILABLE, "before Vault"),
    "a gateway's 403 in JSON": (Answer(403, '{"message": "Forbidden {}"}'), TemporaryError,
        Reason.UNAVAILABLE, "before Vault"),
    "a standby that can't write": (refusal(400, "cannot write to readonly storage {}"),
        TemporaryError, Reason.UNAVAILABLE, "standby"),
    "a standby that is behind": (refusal(412, "required index state not present {}"),
        TemporaryError, Reason.UNAVAILABLE, "standby"),
    "a DR secondary": (refusal(400, "path disabled in replication DR secondary mode {}"),
        TemporaryError, Reason.UNAVAILABLE, "active cluster"),
    "472": (refusal(472, "{}"), TemporaryError, Reason.UNAVAILABLE, "active cluster"),
    "473": (refusal(473, "{}"), TemporaryError, Reason.UNAVAILABLE, "standby"),
    "no active node": (refusal(500, "local node not active but active cluster node not found {}"),
        TemporaryError, Reason.UNAVAILABLE, "standby"),
    "it can't reach whom it asks": (
        refusal(400, "error making upstream request: dial tcp 10.0.0.1:443: i/o timeout {}"),
        TemporaryError, Reason.UNAVAILABLE, "let the server reach"),
    "a page": (Answer(200, "<html>{}"), PermanentError, Reason.MALFORMED, "Vault itself"),
    "no token": (Answer(200, '{"auth": {"x": "{}"}}'), PermanentError, Reason.MALFORMED, "factor"),
}  # fmt: skip


@pytest.fixture
def door() -> Iterator[VaultDoor]:
    """Give a server that knows nothing yet."""
    with VaultDoor(NOWHERE) as stub:
        yield stub


@pytest.fixture(params=LOGINS)
def login(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], str]:
    """Return the settings of each login in turn, with the secret in place, and its hint."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    settings, hint = LOGINS[request.param]
    (tmp_path / "secret").write_text(SECRET)
    files = {k: str(tmp_path / v) for k, v in settings.items() if k.endswith("_file")}
    return {"method": request.param, **settings, **files}, hint


@pytest.mark.parametrize("answer", ANSWERS)
def test_login(door: VaultDoor, login: tuple[dict[str, Any], str], answer: str) -> None:
    """Each has its reason, whether waiting helps, and what to do; and shows no secret.

    The server repeats the secret as it is, in base64 and in a URL.
    """
    auth, own_hint = login
    said, kind, reason, hint = ANSWERS[answer]
    encoded = base64.b64encode(SECRET.encode()).decode()
    words = f"{SECRET} {encoded} {quote(SECRET, safe='')} x-amz-security-token:{SECRET}"
    if auth["method"] == "cert":  # whose key is never sent
        words = "certificate"
    body = str(said.body).replace("{}", words)
    door.rude[f"auth/{auth['method']}/login"] = Answer(said.status, body, said.headers)
    with pytest.raises(DriverError) as caught:
        vault_source(door.url, auth, path="secret/harbor").fetch([])
    error = caught.value
    assert (type(error), error.reason) == (kind, reason)
    assert hint in error.hint
    if kind is LoginRejectedError:
        assert own_hint in error.hint
    for words in ("blocked by policy", "Bad Request", "readonly storage"):
        assert (words in body) == (words in error.detail)
    assert f"auth/{auth['method']}/login" in error.detail
    assert door.url in error.detail
    shown = f"{''.join(traceback.format_exception(error))}{error!r}{error.detail}{error.hint}"
    search = SecretSearch({"the login's": SECRET, "the key": KEYS["AWS_SECRET_ACCESS_KEY"]})
    assert not search.in_text(shown, answer)
