"""What each of GitLab's answers, or none, becomes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rotator.config.targets import GitlabVariableTargetSettings
from rotator.core.errors import (
    ConflictError,
    DriverError,
    LoginRejectedError,
    PermanentError,
    Reason,
    TemporaryError,
)
from rotator.core.model import Held, Mark, Policy, Secret
from rotator.gitlab.errors import GranularError
from rotator.targets.gitlab_variable import GitlabVariableTarget
from tests.fakes.certificates import Pki
from tests.fakes.gitlab import Answer, FakeGitlab
from tests.support import MARKED, NOW, free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


PAGE = "<html><body>proxy</body></html>"
TAKEN = {"message": {"key": ["(DOCKER_AUTH_CONFIG) has already been taken"]}}
FULL = {"message": {"base": ["Maximum number of group ci variables (3) exceeded"]}}
INVALID = {"message": {"value": ["is invalid"]}}
SCOPE = {"error": "insufficient_scope", "error_description": "higher privileges", "scope": "api"}
EXPIRED = {"error": "invalid_token", "error_description": "Token is expired."}
SEVERAL = {"message": "There are multiple variables with provided parameters."}
MOVED = {"message": "Non GET methods are not allowed for moved projects"}
READ_ONLY = {"message": "403 Forbidden - You cannot perform write operations on a read-only"}
ELSEWHERE = {"Location": "https://sso.example.com/login?ticket=s3cr3t-ticket"}

GRANULAR = {
    "error": "insufficient_granular_scope",
    "error_description": "Access denied: This operation requires a fine-grained personal access "
    "token with the following permissions: [CI/CD Variable: Update].",
}
TOO_LONG = {"message": {"value": ["is too long (maximum is 10000 characters)"]}}
HIDDEN = {"message": {"base": ["The visibility setting cannot be changed for masked and hidden"]}}
OTHER_403S = [
    "403 Forbidden - Your account has been blocked.",
    "403 Forbidden - You must accept the Terms of Service in order to perform this action.",
    "403 Forbidden - Your IP address is not allowed to access this group.",
    "403 Forbidden - You need a SAML SSO session to access this group.",
    "403 Forbidden - The project is archived.",
    "403 Forbidden - The group is marked for deletion.",
    "403 Forbidden - Something that nobody has heard of.",
]

ANSWERS = [
    pytest.param(301, "", ELSEWHERE, PermanentError, "not_found", "sso.example", id="redirect"),
    pytest.param(
        302, PAGE, ELSEWHERE, PermanentError, "not_found", "redirect", id="login redirect"
    ),
    pytest.param(400, INVALID, {}, PermanentError, "invalid", "is invalid", id="invalid"),
    pytest.param(400, TAKEN, {}, ConflictError, "conflict", "somebody", id="taken"),
    pytest.param(400, FULL, {}, PermanentError, "too_large", "(3)", id="full"),
    pytest.param(
        401,
        {"message": "401 Unauthorized"},
        {},
        LoginRejectedError,
        "login_rejected",
        "wrong",
        id="401",
    ),
    pytest.param(
        401, EXPIRED, {}, LoginRejectedError, "login_rejected", "is expired", id="expired"
    ),
    pytest.param(403, SCOPE, {}, PermanentError, "forbidden", "scope api", id="scope"),
    pytest.param(
        403,
        {"message": "403 Forbidden"},
        {},
        PermanentError,
        "forbidden",
        "need the role Owner",
        id="role",
    ),
    *(
        pytest.param(403, {"message": text}, {}, PermanentError, "forbidden", text, id=text[:30])
        for text in OTHER_403S
    ),
    pytest.param(403, GRANULAR, {}, GranularError, "forbidden", "Variable: Update]", id="granular"),
    pytest.param(400, TOO_LONG, {}, PermanentError, "too_large", "maximum is", id="too long"),
    pytest.param(400, HIDDEN, {}, PermanentError, "invalid", "cannot be changed", id="hidden"),
    pytest.param(
        404,
        {"message": "404 InstanceVariable Not Found"},
        {},
        ConflictError,
        "conflict",
        "deleted",
        id="instance variable",
    ),
    pytest.param(403, PAGE, {}, PermanentError, "forbidden", "before GitLab", id="firewall"),
    pytest.param(403, READ_ONLY, {}, TemporaryError, "read_only", "read-only", id="read-only"),
    pytest.param(
        404,
        {"message": "404 Group Not Found"},
        {},
        PermanentError,
        "not_found",
        "no such",
        id="group",
    ),
    pytest.param(404, PAGE, {}, PermanentError, "not_found", "no GitLab API", id="not GitLab"),
    pytest.param(
        404,
        {"error": "404 Not Found"},
        {},
        PermanentError,
        "not_found",
        "no GitLab API",
        id="no route",
    ),
    pytest.param(
        404,
        {"message": "404 GroupVariable Not Found"},
        {},
        ConflictError,
        "conflict",
        "deleted",
        id="variable",
    ),
    pytest.param(405, MOVED, {}, PermanentError, "not_found", "moved", id="moved"),
    pytest.param(409, SEVERAL, {}, PermanentError, "conflict", "by scope", id="several scopes"),
    pytest.param(413, PAGE, {}, PermanentError, "too_large", "larger", id="too large"),
    pytest.param(418, {}, {}, PermanentError, "invalid", "418", id="unheard of"),
    pytest.param(
        429,
        "Retry later\n",
        {"Retry-After": "7"},
        TemporaryError,
        "throttled",
        "Retry later",
        id="429",
    ),
    pytest.param(500, {}, {}, TemporaryError, "unavailable", "500", id="500"),
    pytest.param(502, PAGE, {}, TemporaryError, "unavailable", "502", id="502"),
    pytest.param(503, PAGE, {}, TemporaryError, "unavailable", "503", id="503"),
    pytest.param(200, PAGE, {}, PermanentError, "malformed", "login page", id="login page"),
    pytest.param(200, [], {}, PermanentError, "malformed", "not GitLab's", id="a list"),
    pytest.param(200, "{", {}, PermanentError, "malformed", "not GitLab's", id="cut off"),
]


@pytest.fixture
def token(fake_gitlab: FakeGitlab, tmp_path: Path) -> Path:
    """Write an access token that would do."""
    fake_gitlab.add_group("team")
    path = tmp_path / "token"
    path.write_text(f"{MARKED}token")
    return path


@pytest.fixture
def tls_gitlab(tmp_path: Path) -> Iterator[FakeGitlab]:
    """Give a GitLab behind TLS, whose authority is in ca.crt."""
    pki = Pki(tmp_path)
    path = tmp_path / "tls.pem"
    path.write_bytes(pki.server.read_bytes() + pki.server_key.read_bytes())
    with FakeGitlab(tls_file=path) as server:
        yield server


def target(url: str, token: Path, read_seconds: float = 5.0, **keys: Any) -> GitlabVariableTarget:
    """Return a target of this GitLab."""
    settings = GitlabVariableTargetSettings(url=url, group="team", token_file=token, **keys)
    return GitlabVariableTarget(settings, Policy(), lambda: NOW, (5.0, read_seconds))


def failure(tried: GitlabVariableTarget) -> DriverError:
    """Return the error of a write, which must show no secret."""
    mark = Mark({}, "hmac:000000000000", "dind")
    with pytest.raises(DriverError) as caught:
        tried.write(Secret(f"{MARKED}value"), mark, Held(None))
    error = caught.value
    assert MARKED not in f"{error} {error.detail} {error.hint} {error.__cause__!r}"
    assert error.hint
    return error


@pytest.mark.parametrize(("status", "body", "headers", "kind", "reason", "words"), ANSWERS)
def test_answers(
    fake_gitlab: FakeGitlab,
    token: Path,
    status: int,
    body: Any,
    headers: dict[str, str],
    kind: type[DriverError],
    reason: str,
    words: str,
) -> None:
    """Each answer becomes its error, with the server and the way out, without a secret."""
    text = body if isinstance(body, str) else json.dumps(body)
    html = text.startswith("<")
    kinds = {"Content-Type": "text/html" if html else "application/json"}
    if text.startswith("Retry"):
        kinds = {"Content-Type": "text/plain"}
    fake_gitlab.failing = Answer(status, text.encode(), {**kinds, **headers})
    error = failure(target(fake_gitlab.url, token))
    assert (issubclass(type(error), kind), error.reason) == (True, Reason(reason))
    assert words in error.detail
    assert fake_gitlab.url in error.detail
    assert len(fake_gitlab.calls) == 1


@pytest.mark.parametrize("sentence", OTHER_403S)
def test_a_role_is_too_low_only_where_it_is(
    fake_gitlab: FakeGitlab, token: Path, sentence: str
) -> None:
    """GitLab gives its own reason for every other 403, and another role is no way out."""
    fake_gitlab.failing = Answer.of(403, {"message": sentence})
    error = failure(target(fake_gitlab.url, token))
    assert "role" not in f"{error.detail} {error.hint}"


def test_refused_connection(fake_gitlab: FakeGitlab, token: Path) -> None:
    """Nobody listening is temporary, with the system's own words."""
    error = failure(target(f"http://127.0.0.1:{free_port()}", token))
    assert isinstance(error, TemporaryError)
    assert error.reason is Reason.UNREACHABLE
    assert "refused" in error.detail


def test_unknown_host(token: Path) -> None:
    """A name that does not resolve is temporary too: the resolver may be what is broken."""
    error = failure(target("http://gitlab.invalid", token))
    assert isinstance(error, TemporaryError)
    assert error.reason is Reason.UNREACHABLE


def test_silence(fake_gitlab: FakeGitlab, token: Path) -> None:
    """A server that takes the request and says nothing is given up, and asked once only."""
    fake_gitlab.silent = True
    error = failure(target(fake_gitlab.url, token, read_seconds=0.2))
    assert isinstance(error, TemporaryError)
    assert error.reason is Reason.TIMEOUT
    until(lambda: fake_gitlab.calls, 20, "the request, which a busy machine may note later")
    assert len(fake_gitlab.calls) == 1


def test_broken_ca_file(fake_gitlab: FakeGitlab, token: Path, tmp_path: Path) -> None:
    """A `ca_file` that is not there is named, with how to look at it."""
    url = fake_gitlab.url.replace("http:", "https:")
    error = failure(target(url, token, ca_file=tmp_path / "ca.pem"))
    assert isinstance(error, PermanentError)
    assert error.reason is Reason.UNREADABLE
    assert str(tmp_path / "ca.pem") in error.hint


def test_untrusted_certificate(tls_gitlab: FakeGitlab, token: Path) -> None:
    """A certificate of an authority that nobody knows is permanent, and `ca_file` the way out."""
    error = failure(target(tls_gitlab.url, token))
    assert isinstance(error, PermanentError)
    assert error.reason is Reason.UNREACHABLE
    assert "ca_file" in error.hint


def test_trusted_certificate(tls_gitlab: FakeGitlab, token: Path, tmp_path: Path) -> None:
    """With the authority in `ca_file` the same server is heard: it knows no such token."""
    error = failure(target(tls_gitlab.url, token, ca_file=tmp_path / "ca.crt"))
    assert error.reason is Reason.LOGIN_REJECTED


def test_throttled_with_the_delay(fake_gitlab: FakeGitlab, token: Path) -> None:
    """A 429 is not waited out but handed on, with the delay."""
    fake_gitlab.throttle("Mon, 23 Nov 2026 10:00:42 GMT")
    error = failure(target(fake_gitlab.url, token))
    assert isinstance(error, TemporaryError)
    assert (error.reason, error.retry_after) == (Reason.THROTTLED, 42.0)
