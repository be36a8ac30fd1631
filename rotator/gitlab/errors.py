"""What GitLab's answers mean: a table from an answer, or from the lack of one, to our errors.

The messages are GitLab's own (lib/api/helpers.rb and lib/api/api_guard.rb in its source), see
https://docs.gitlab.com/api/rest/troubleshooting/ and https://docs.gitlab.com/security/rate_limits/
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from requests.exceptions import InvalidSchema, InvalidURL, RequestException, Timeout

from rotator.core import errors
from rotator.core.error_rules import ErrorRule, Evidence, classify, on
from rotator.core.errors import ConflictError, LoginRejectedError, Reason, TemporaryError
from rotator.http.causes import NO_TLS, TLS_WANTED, distrust, no_http, system_message
from rotator.http.reading import json_in, object_in
from rotator.http.retry_after import retry_after
from rotator.http.server_text import shown
from rotator.http.session import AnswerTooLongError
from rotator.system.input_file import NOT_A_FILE

if TYPE_CHECKING:
    from datetime import datetime

    import requests

    from rotator.gitlab.asked import Asked


class RefusedError(Exception):
    """GitLab, or something before it, gave an answer that is not what was asked for."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class VariableMissingError(ConflictError):
    """There is no such variable: nothing to read, or gone since it was read."""


class GranularError(errors.PermanentError):
    """A fine-grained access token may not do this; GitLab names the permission that it lacks."""


_ANOTHER = (
    "make a new access token with scope api and {role} ({tokens_page}) and write it to {token}; "
    "it is used from the next call on"
)
_GRANT = (
    "make a fine-grained access token with CI/CD Variable: Create, Read and Update for {place} "
    "(deploy/policies/gitlab-token.sh has what to type) and write it to {token}"
)
_NOT_GITLAB = (
    "set `url` to GitLab's own address, with its path if it has one; "
    "try: curl -i {url}/api/v4/version"
)
_SEE = "do what GitLab's message says; the variable is at {variables_page}"
_WAIT = "nothing to do if it passes; else ask those who run {url}"
_BARE = r'"message": ?"403 Forbidden"'

RULES = (
    ErrorRule(on(status=400, text=TLS_WANTED), Reason.INVALID, "write `https://` in `url`",
        "it speaks TLS there, and `url` begins with http://"),
    ErrorRule(on(status=range(300, 400)), Reason.NOT_FOUND,
        "set `url`, `group` or `project` to where it is now",
        "the answer is a redirect to {location}, which is not followed with a token"),
    ErrorRule(on(status=400, text="has already been taken"), Reason.CONFLICT, "",
        "somebody created it since it was read, or this GitLab keeps no environment scopes on "
        "groups (they need Premium)", ConflictError),
    ErrorRule(on(status=400, text="Maximum number of"), Reason.TOO_LARGE,
        "delete variables that nobody uses, or have an administrator raise the limit",
        "it has as many variables as GitLab allows"),
    ErrorRule(on(status=400, text="is too long"), Reason.TOO_LARGE,
        "publish fewer registries in it (`registries:`), or mount a file into the jobs",
        "GitLab takes no value of this length"),
    ErrorRule(on(status=400), Reason.INVALID, _SEE, "GitLab does not take it"),
    ErrorRule(on(status=401), Reason.LOGIN_REJECTED, _ANOTHER,
        "the access token is wrong, revoked or expired", LoginRejectedError),
    ErrorRule(on(status=403, text="insufficient_granular_scope"), Reason.FORBIDDEN, _GRANT,
        "the fine-grained access token may not do this", GranularError),
    ErrorRule(on(status=403, text="insufficient_scope"), Reason.FORBIDDEN, _ANOTHER,
        "the access token lacks the scope api"),
    ErrorRule(on(status=403, text="read-only"), Reason.READ_ONLY, _WAIT,
        "this GitLab is read-only for now", TemporaryError),
    ErrorRule(on(status=403, text="<html"), Reason.FORBIDDEN,
        "ask those who run {url} or its proxy", "something before GitLab forbids it"),
    ErrorRule(on(status=403, text="blocked|deactivated|banned|pending approval"), Reason.FORBIDDEN,
        "have an administrator of {url} let the token's user in again, or use another's token",
        "the access token's user may not sign in"),
    ErrorRule(on(status=403, text="terms of service"), Reason.FORBIDDEN,
        "sign in to {url} as the token's user and accept them; an access token of the group or "
        "project has a user of its own, which need not",
        "the access token's user has not accepted the terms of service"),
    ErrorRule(on(status=403, text=r"\bip\b"), Reason.FORBIDDEN,
        "let this machine's address in: Settings > General > Permissions and group features of "
        "the top-level group", "GitLab lets only some addresses in"),
    ErrorRule(on(status=403, text=r"\bsso\b|saml|single sign"), Reason.FORBIDDEN,
        "sign in there once as the token's user, or use an access token of the group or project "
        "({tokens_page}), which needs none", "GitLab wants a session of single sign-on"),
    ErrorRule(on(status=403, text="archived|deletion|being deleted"), Reason.FORBIDDEN,
        "restore {place}, or take this target out of the configuration",
        "{place} is archived or about to be deleted"),
    ErrorRule(on(status=403, text=_BARE), Reason.FORBIDDEN, _ANOTHER,
        "the access token's role is too low: variables of {place} need {role}"),
    ErrorRule(on(status=403), Reason.FORBIDDEN, _SEE, "GitLab forbids it"),
    ErrorRule(on(status=404, text=r"404 (Group|Instance)?Variable Not Found"), Reason.CONFLICT, "",
        "it was deleted since it was read", VariableMissingError),
    ErrorRule(on(status=404, text="404 (Group|Project) Not Found"), Reason.NOT_FOUND,
        "correct `{owner}: {path}` (its path after {url}/, or its id), or let the token's user in",
        "there is no such {owner}, or the access token may not see it"),
    ErrorRule(on(status=404), Reason.NOT_FOUND, _NOT_GITLAB,
        "there is no GitLab API at this address"),
    ErrorRule(on(status=405, text="moved"), Reason.NOT_FOUND,
        "set `{owner}` to its new path, or to its id, which never changes",
        "the {owner} has moved"),
    ErrorRule(on(status=409, text="multiple variables"), Reason.CONFLICT,
        "delete all but one of them: {variables_page}",
        "several variables have this key, and this GitLab can't tell them apart by scope"),
    ErrorRule(on(status=413), Reason.TOO_LARGE, "publish fewer registries in it (`registries:`)",
        "the value is larger than the server takes"),
    ErrorRule(on(status=429), Reason.THROTTLED,
        "nothing to do if it passes; else lengthen `poll` or raise the limit", "too many requests",
        TemporaryError),
    ErrorRule(on(status=range(400, 500)), Reason.INVALID, _SEE, "GitLab refuses the request"),
    ErrorRule(on(status=range(500, 600)), Reason.UNAVAILABLE, _WAIT, "GitLab is in trouble",
        TemporaryError),
    ErrorRule(on(), Reason.MALFORMED, _NOT_GITLAB,
        "the answer is not GitLab's (a login page or a proxy?)"),
)  # fmt: skip

_CERTIFICATES = "put PEM certificates there, readable for rotator: ls -l {trusted}"

SILENCE = (
    ErrorRule(on(text="not trusted"), Reason.UNREACHABLE,
        "set `ca_file` to the PEM file of the authority that signed it; the system's own is often "
        "/etc/ssl/certs/ca-certificates.crt", "its certificate is not trusted ({why})"),
    ErrorRule(on(raised=(InvalidURL, InvalidSchema)), Reason.INVALID, _NOT_GITLAB,
        "this is no address"),
    ErrorRule(on(text="no HTTP"), Reason.MALFORMED, _NOT_GITLAB, "{why}", TemporaryError),
    ErrorRule(on(text="no TLS"), Reason.UNREACHABLE,
        "write `http://` in `url`, or the port that speaks TLS", "it does not speak TLS there"),
    ErrorRule(on(raised=Timeout), Reason.TIMEOUT, _WAIT, "no answer in time", TemporaryError),
    ErrorRule(on(raised=RequestException), Reason.UNREACHABLE,
        "see whether this machine reaches it: curl -i {url}/api/v4/version",
        "no answer ({why})", TemporaryError),
    ErrorRule(on(errno=NOT_A_FILE), Reason.UNREADABLE, _CERTIFICATES,
        "cannot read the certificates to trust in {trusted}: {why}"),
    ErrorRule(on(), Reason.UNREADABLE, _CERTIFICATES,
        "cannot read the certificates to trust in {trusted}"),
)  # fmt: skip
"""What it means that no answer came."""


def refused(response: requests.Response, asked: Asked, now: datetime) -> errors.DriverError:
    """Return the error that this answer means."""
    body = response.content[:10_000].decode("utf-8", "replace")
    location = response.headers.get("Location", "").partition("?")[0]
    evidence = Evidence(
        status=response.status_code,
        text=body,
        said=_said(response, body),
        retry_after=retry_after(response.headers.get("Retry-After"), now),
    )
    given = {**_given(asked), "location": shown(location, _sent(response))}
    return classify(RULES, evidence, f"{asked}: ", given)


def no_answer(error: OSError, asked: Asked, ca_file: str | None) -> errors.DriverError:
    """Return the error for a request that got no answer."""
    if isinstance(error, AnswerTooLongError):
        return unreadable(asked)
    odd, why = no_http(error), distrust(error) or system_message(error) or type(error).__name__
    given = {**_given(asked), "why": odd or why, "trusted": ca_file or "$REQUESTS_CA_BUNDLE"}
    text = "not trusted" if distrust(error) else "no HTTP" if odd else "no answer"
    text = "no TLS" if re.search(NO_TLS, why) else text
    return classify(
        SILENCE, Evidence(error=error, text=text), f"{asked.url} for {asked.place}: ", given
    )


def unreadable(asked: Asked) -> errors.DriverError:
    """Return the error for an answer that python-gitlab can't read."""
    hint = _NOT_GITLAB.format(**_given(asked))
    return errors.PermanentError(Reason.MALFORMED, f"{asked}: the answer is not GitLab's", hint)


def new_token(asked: Asked) -> str:
    """Return what to do where another access token is needed."""
    return _ANOTHER.format(**_given(asked))


def _given(asked: Asked) -> dict[str, str]:
    names = ("url", "owner", "path", "place", "role", "token", "tokens_page", "variables_page")
    return {name: getattr(asked, name) for name in names}


def _said(response: requests.Response, body: str) -> str:
    """Return the status and GitLab's own message; the body of a proxy's page says nothing."""
    answer = object_in(json_in(body))
    message = answer.get("error_description") or answer.get("message") or answer.get("error")
    if not answer and "text/plain" in response.headers.get("Content-Type", ""):
        message = body.strip()
    text = message if isinstance(message, str) else json.dumps(message) if message else ""
    hidden = _sent(response)
    status = shown(f"{response.status_code} {response.reason}", hidden)
    return f"{status}: {shown(text, hidden)}" if text else status


def _sent(response: requests.Response) -> list[str]:
    """Return what was sent and may not be shown, though the answer may repeat it."""
    request = response.request
    value = object_in(json_in(request.body or b"")).get("value")
    return [str(each) for each in (request.headers.get("PRIVATE-TOKEN"), value) if each]
