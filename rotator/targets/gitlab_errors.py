"""What GitLab's answers mean: a table from an answer, or from the lack of one, to our errors.

The messages are GitLab's own (lib/api/helpers.rb and lib/api/api_guard.rb in its source), see
https://docs.gitlab.com/api/rest/troubleshooting/ and https://docs.gitlab.com/security/rate_limits/
"""

from __future__ import annotations

import json
import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from rotator.core.errors import (
    ConflictError,
    DriverError,
    LoginRejectedError,
    PermanentError,
    Reason,
    TemporaryError,
)
from rotator.http.causes import causes
from rotator.http.reading import json_in
from rotator.http.retry_after import retry_after
from rotator.http.server_text import shown
from rotator.http.session import AnswerTooLongError

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import datetime

_MOST_WORDS = 200
_ANY_SCOPE = "*"


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom we asked, for what, with which token, in words for errors.

    `owner` is "group" or "project", `path` its path or id, `token` the file or variable that the
    access token is read from.
    """

    url: str
    owner: str
    path: str
    key: str
    scope: str
    token: str

    @property
    def role(self) -> str:
        """The least role that may write CI/CD variables there."""
        return "Owner" if self.owner == "group" else "Maintainer"

    @property
    def tokens_page(self) -> str:
        """Where a new access token is made."""
        if self.path.isdigit():
            return f"{self.url}, {self.owner} {self.path}, Settings > Access tokens"
        prefix = "groups/" if self.owner == "group" else ""
        return f"{self.url}/{prefix}{self.path}/-/settings/access_tokens"

    def __str__(self) -> str:
        scope = "" if self.scope == _ANY_SCOPE else f" (scope {self.scope})"
        return f"variable {self.key}{scope} of {self.owner} {self.path} at {self.url}"


class RefusedError(Exception):
    """GitLab, or something before it, gave an answer that is not what was asked for."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class VariableMissingError(ConflictError):
    """There is no such variable: nothing to read, or gone since it was read."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the table: the first whose status and words fit an answer decides."""

    statuses: Container[int]
    words: str
    kind: type[DriverError]
    reason: Reason
    what: str = ""
    hint: str = ""


_MAKE_ANEW = (
    "make a new access token with scope api and role {role} ({tokens_page}) and write it to "
    "{token}; it is used from the next call on"
)
_NOT_GITLAB = (
    "set `url` to GitLab's own address, with its path if it has one; "
    "try: curl -i {url}/api/v4/version"
)
_SEE = "look at GitLab's message; {owner} {path}, Settings > CI/CD > Variables shows the variable"
_WAIT = "nothing to do if it passes; else ask whoever runs {url}"

_TABLE = (
    _Row(
        range(300, 400), "", PermanentError, Reason.NOT_FOUND,
        "the answer is a redirect to {location}, which is not followed with a token",
        "set `url`, `group` or `project` to where it is now",
    ),
    _Row(
        (400,), "has already been taken", ConflictError, Reason.CONFLICT,
        "somebody created it since it was read, or this GitLab keeps no environment scopes on "
        "groups (they need Premium)",
    ),
    _Row(
        (400,), "Maximum number of", PermanentError, Reason.TOO_LARGE,
        "it has as many variables as GitLab allows",
        "delete variables that nobody uses, or have an administrator raise the limit",
    ),
    _Row((400,), "", PermanentError, Reason.INVALID, "GitLab does not take it", _SEE),
    _Row(
        (401,), "", LoginRejectedError, Reason.LOGIN_REJECTED,
        "the access token is wrong, revoked or expired", _MAKE_ANEW,
    ),
    _Row(
        (403,), "insufficient_scope", PermanentError, Reason.FORBIDDEN,
        "the access token lacks the scope api", _MAKE_ANEW,
    ),
    _Row(
        (403,), "read-only", TemporaryError, Reason.READ_ONLY,
        "this GitLab is read-only for now", _WAIT,
    ),
    _Row(
        (403,), "<html", PermanentError, Reason.FORBIDDEN,
        "something before GitLab forbids it", "ask whoever runs {url} or the proxy to it",
    ),
    _Row(
        (403,), "", PermanentError, Reason.FORBIDDEN,
        "the access token's role is too low: variables of a {owner} need {role}", _MAKE_ANEW,
    ),
    _Row(
        (404,), r"404 (Group)?Variable Not Found", VariableMissingError, Reason.CONFLICT,
        "it was deleted since it was read",
    ),
    _Row(
        (404,), r"404 (Group|Project) Not Found", PermanentError, Reason.NOT_FOUND,
        "there is no such {owner}, or the access token may not see it",
        "correct `{owner}: {path}` (its path after {url}/, or its id), or let the token's user in",
    ),
    _Row(
        (404,), "", PermanentError, Reason.NOT_FOUND,
        "there is no GitLab API at this address", _NOT_GITLAB,
    ),
    _Row(
        (405,), "moved", PermanentError, Reason.NOT_FOUND,
        "the {owner} has moved", "set `{owner}` to its new path, or to its id, which never changes",
    ),
    _Row(
        (409,), "multiple variables", PermanentError, Reason.CONFLICT,
        "several variables have this key, and this GitLab can't tell them apart by scope",
        "delete all but one of them under {owner} {path}, Settings > CI/CD > Variables",
    ),
    _Row(
        (413,), "", PermanentError, Reason.TOO_LARGE,
        "the value is larger than the server takes",
        "publish fewer registries in it (`registries:`)",
    ),
    _Row(
        (429,), "", TemporaryError, Reason.THROTTLED,
        "too many requests", "nothing to do if it passes; else lengthen `poll` or raise the limit",
    ),
    _Row(range(400, 500), "", PermanentError, Reason.INVALID, "GitLab refuses the request", _SEE),
    _Row(range(500, 600), "", TemporaryError, Reason.UNAVAILABLE, "GitLab is in trouble", _WAIT),
    _Row(
        range(600), "", PermanentError, Reason.MALFORMED,
        "the answer is not GitLab's (a login page or a proxy?)", _NOT_GITLAB,
    ),
)  # fmt: skip


def answered(response: requests.Response, asked: Asked, now: datetime) -> DriverError:
    """Return the error that this answer means."""
    body = response.content[:10_000].decode("utf-8", "replace")
    row = next(
        row
        for row in _TABLE
        if response.status_code in row.statuses and re.search(row.words, body, re.IGNORECASE)
    )
    location = response.headers.get("Location", "").partition("?")[0]
    words = {**_words(asked), "location": shown(location, _sent(response))}
    detail = f"{asked}: {row.what.format(**words)} ({_said(response, body)})"
    hint = row.hint.format(**words)
    if issubclass(row.kind, ConflictError):
        return row.kind(detail)
    if issubclass(row.kind, LoginRejectedError):
        return row.kind(detail, hint)
    if issubclass(row.kind, TemporaryError):
        wait = retry_after(response.headers.get("Retry-After"), now)
        return row.kind(row.reason, detail, hint, retry_after=wait)
    return row.kind(row.reason, detail, hint)


def unanswered(error: OSError, asked: Asked, ca_file: str | None) -> DriverError:
    """Return the error for a request that got no answer."""
    where = f"{asked.url} for {asked.owner} {asked.path}"
    behind = list(causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in behind):
        return PermanentError(
            Reason.UNREACHABLE,
            f"{where}: its certificate is not trusted ({_why(behind)})",
            "set `ca_file` to the PEM file of the authority that signed it; "
            "the system's own is often /etc/ssl/certs/ca-certificates.crt",
        )
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        hint = _NOT_GITLAB.format(**_words(asked))
        return PermanentError(Reason.INVALID, f"{where}: this is no address", hint)
    if not isinstance(error, requests.RequestException):
        trusted = ca_file or "$REQUESTS_CA_BUNDLE"
        return PermanentError(
            Reason.UNREADABLE,
            f"{where}: cannot read the certificates to trust in {trusted}",
            f"put PEM certificates there, readable for rotator: ls -l {trusted}",
        )
    if isinstance(error, AnswerTooLongError):
        return unreadable(asked)
    if isinstance(error, requests.Timeout):
        hint = _WAIT.format(**_words(asked))
        return TemporaryError(Reason.TIMEOUT, f"{where}: no answer in time", hint)
    return TemporaryError(
        Reason.UNREACHABLE,
        f"{where}: no connection ({_why(behind)})",
        f"see whether this machine reaches it: curl -i {asked.url}/api/v4/version",
    )


def unreadable(asked: Asked) -> DriverError:
    """Return the error for an answer that python-gitlab can't read."""
    hint = _NOT_GITLAB.format(**_words(asked))
    return PermanentError(Reason.MALFORMED, f"{asked}: the answer is not GitLab's", hint)


def make_anew(asked: Asked) -> str:
    """Return what to do where another access token is needed."""
    return _MAKE_ANEW.format(**_words(asked))


def _words(asked: Asked) -> dict[str, str]:
    names = ("url", "owner", "path", "role", "token", "tokens_page")
    return {name: getattr(asked, name) for name in names}


def _said(response: requests.Response, body: str) -> str:
    """Return the status and GitLab's own message; the body of a proxy's page says nothing."""
    answer = json_in(body)
    message: object = None
    if isinstance(answer, dict):
        message = answer.get("error_description") or answer.get("message") or answer.get("error")
    elif "text/plain" in response.headers.get("Content-Type", ""):
        message = body.strip()
    text = message if isinstance(message, str) else json.dumps(message) if message else ""
    hidden = _sent(response)
    status = shown(f"{response.status_code} {response.reason}", hidden)
    return f"{status}: {shown(text, hidden)[:_MOST_WORDS]}" if text else status


def _sent(response: requests.Response) -> list[str]:
    """Return what was sent and may not be seen, though the answer may repeat it."""
    request = response.request
    sent = json_in(request.body or b"")
    value = sent.get("value") if isinstance(sent, dict) else None
    return [str(each) for each in (request.headers.get("PRIVATE-TOKEN"), value) if each]


def _why(behind: list[BaseException]) -> str:
    """Return the system's own words, which name no proxy password as requests' text may."""
    for cause in behind:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
    words = [c.strerror for c in behind if isinstance(c, OSError) and isinstance(c.strerror, str)]
    return words[-1] if words else type(behind[0]).__name__
