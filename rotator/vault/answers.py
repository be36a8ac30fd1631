"""Turns what a Vault server answered, or how a request failed, into an error that says what to do.

Statuses: https://developer.hashicorp.com/vault/api-docs#http-status-codes
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from requests import exceptions as http

from rotator.core.errors import DriverError, PermanentError, Reason, TemporaryError
from rotator.http.reading import json_in
from rotator.http.retry_after import retry_after
from rotator.http.server_text import shown
from rotator.http.session import AnswerTooLongError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests


class UnsafeRedirectError(http.RequestException):
    """A server that is spoken to over TLS wants the request sent on in plain."""


FORBIDDEN = 403
NOT_FOUND = 404
_LARGEST = 2**31
_SERVER_FAULT = 500

_TRUST = "set `ca_file` to the authority that signed it (PEM)"
_REACH = "check `address`, and that the server runs and this machine may reach it"

# Exception, a text in its message ("" for any), kind of error, reason, what happened, hint.
# The first that fits counts. The messages themselves are not shown: they hold URLs with logins of
# proxies, and header values.
_FAILURES: tuple[tuple[type[Exception], str, type[DriverError], Reason, str, str], ...] = (
    (http.ProxyError, "", TemporaryError, Reason.UNREACHABLE, "the proxy does not let us through",
     "check HTTPS_PROXY and HTTP_PROXY, or name the server in NO_PROXY"),
    (http.SSLError, "Hostname mismatch", PermanentError, Reason.UNREACHABLE,
     "its certificate is for another name", "set `tls_server_name` to the name in it"),
    (http.SSLError, "IP address mismatch", PermanentError, Reason.UNREACHABLE,
     "its certificate is for another name", "set `tls_server_name` to the name in it"),
    (http.SSLError, "certificate has expired", PermanentError, Reason.UNREACHABLE,
     "its certificate has expired", "renew the server's certificate, or mend this machine's clock"),
    (http.SSLError, "CERTIFICATE_VERIFY_FAILED", PermanentError, Reason.UNREACHABLE,
     "its certificate is not trusted", _TRUST),
    (http.SSLError, "WRONG_VERSION_NUMBER", PermanentError, Reason.UNREACHABLE,
     "it does not speak TLS there", "write `http://` in `address`, or the port that speaks TLS"),
    (http.SSLError, "ALERT", PermanentError, Reason.UNREACHABLE,
     "it does not accept our TLS connection",
     "set `client_cert_file` and `client_key_file` if it asks for a client certificate"),
    (http.SSLError, "", TemporaryError, Reason.UNREACHABLE, "the TLS connection broke", _REACH),
    (http.ConnectTimeout, "", TemporaryError, Reason.TIMEOUT, "no connection in time", _REACH),
    (http.Timeout, "", TemporaryError, Reason.TIMEOUT, "no answer in time",
     "see whether the server is overloaded: vault status"),
    (http.InvalidHeader, "", PermanentError, Reason.MALFORMED,
     "the login token or namespace holds characters that no header can carry",
     "write the token alone on one line of its file"),
    (UnicodeError, "", PermanentError, Reason.MALFORMED,
     "the login token or namespace holds characters that no header can carry",
     "write the token alone on one line of its file"),
    (AnswerTooLongError, "", PermanentError, Reason.MALFORMED, "its answer does not end",
     "set `address` to Vault itself: it never says that much"),
    (UnsafeRedirectError, "", PermanentError, Reason.UNREACHABLE,
     "it redirects from TLS to plain HTTP, where no secret is sent",
     "set `address` to where it redirects, or mend its `api_addr`"),
    (http.TooManyRedirects, "", PermanentError, Reason.INVALID, "it redirects in a circle",
     "set `address` to the Vault server itself"),
    (http.InvalidURL, "", PermanentError, Reason.INVALID, "this is no URL", "correct `address`"),
    (http.MissingSchema, "", PermanentError, Reason.INVALID, "this is no URL",
     "correct `address`"),
    (http.ConnectionError, "Failed to resolve", TemporaryError, Reason.UNREACHABLE,
     "its name is not found", "check the host in `address`, and DNS"),
    (http.RequestException, "", TemporaryError, Reason.UNREACHABLE, "no connection", _REACH),
)  # fmt: skip

_PLAIN_HTTP = "sent an HTTP request to an HTTPS server"

_LATER = "nothing to do: it is tried again; if this stays, ask whoever runs the server"

# Status, a text in the server's words ("" for any), kind of error, reason, hint.
_ANSWERS: tuple[tuple[int, str, type[DriverError], Reason, str], ...] = (
    (400, _PLAIN_HTTP, PermanentError, Reason.INVALID, "write `https://` in `address`"),
    (400, "", PermanentError, Reason.INVALID, "correct what the server's words name"),
    (401, "", PermanentError, Reason.FORBIDDEN,
     "set `address` to Vault itself: it never answers 401"),
    (404, "no handler for route", PermanentError, Reason.NOT_FOUND,
     "correct the mount in `path` (vault secrets list), or set `namespace`"),
    (404, "", PermanentError, Reason.NOT_FOUND, "correct `path`, or set `namespace`"),
    (405, "", PermanentError, Reason.INVALID, "set `method` to the other of `read` and `write`"),
    (408, "", TemporaryError, Reason.TIMEOUT, _LATER),
    (412, "", TemporaryError, Reason.UNAVAILABLE, _LATER),
    (413, "", PermanentError, Reason.TOO_LARGE, "shorten what is written: the server has a limit"),
    (429, "", TemporaryError, Reason.THROTTLED,
     "nothing to do: it is tried again; if this stays, raise the quota: vault list sys/quotas"),
    (500, "too large", PermanentError, Reason.TOO_LARGE,
     "shorten what is written: the server has a limit"),
    (501, "", TemporaryError, Reason.UNAVAILABLE, "initialize the server: vault operator init"),
    (503, "sealed", TemporaryError, Reason.UNAVAILABLE, "unseal the server: vault operator unseal"),
    (504, "", TemporaryError, Reason.TIMEOUT, _LATER),
)  # fmt: skip


def failed(error: Exception, what: str) -> DriverError:
    """Return the error for a request that got no answer.

    `what` says what was asked of whom ("cannot read secret/data/x at https://vault:8200").
    """
    text = str(error)
    for cause, part, kind, reason, happened, hint in _FAILURES:
        if isinstance(error, cause) and part in text:
            why = _system_words(error) if happened == "no connection" else ""
            return kind(reason, f"{what}: {why or happened}", hint)
    raise error


def refused(
    response: requests.Response, what: str, policy: str, hidden: Iterable[str]
) -> DriverError:
    """Return the error for an answer that is no success.

    `policy` is the policy line that would allow it, `hidden` are secrets that the server may have
    repeated in its words.
    """
    status, words = response.status_code, server_words(response, hidden)
    detail = f"{what}: {status}{f' ({words})' if words else ''}"
    if status == FORBIDDEN:
        return PermanentError(
            Reason.FORBIDDEN, detail, f"a policy of the login must have: {policy}"
        )
    for known, part, kind, reason, hint in _ANSWERS:
        if status == known and part in words:
            if issubclass(kind, TemporaryError):
                return kind(reason, detail, hint, retry_after=_retry_after(response))
            return kind(reason, detail, hint)
    if status >= _SERVER_FAULT:
        wait = _retry_after(response)
        return TemporaryError(Reason.UNAVAILABLE, detail, _LATER, retry_after=wait)
    return PermanentError(
        Reason.INVALID, detail, "set `address` to Vault itself: this is no answer that Vault gives"
    )


def no_vault(what: str) -> PermanentError:
    """Return the error for a success that is not written as Vault writes."""
    return PermanentError(
        Reason.MALFORMED,
        f"{what}: the answer is not Vault's",
        "set `address` to Vault itself, not to a proxy's or a login page",
    )


def policy_line(method: str, path: str) -> str:
    """Return the policy in HCL that allows a request."""
    abilities = '"read"' if method == "GET" else '"create", "update"'
    if path.startswith(("sys/", "auth/")) and method != "GET":
        abilities = '"update"'
    return f'path "{path}" {{ capabilities = [{abilities}] }}'


def token_is_bad(response: requests.Response) -> bool:
    """Tell whether a 403 means the token itself, not what its policies allow.

    OpenBao 2.7 answers a bare "permission denied" for a token that it does not know, Vault adds
    "invalid token" or "bad token"; a policy's refusal begins with "1 error occurred".
    """
    words = "; ".join(_errors(response))
    return words == "permission denied" or "invalid token" in words or "bad token" in words


def server_words(response: requests.Response, hidden: Iterable[str]) -> str:
    """Return the server's own error texts in one line, with every known secret blotted out."""
    text = re.sub(r"\d+ errors? occurred:", "", "; ".join(_errors(response))).replace("*", " ")
    return shown(text, hidden)


def json_object(response: requests.Response) -> Mapping[str, Any] | None:
    """Return the JSON object in an answer; None where something else is in it."""
    document = json_in(response.content)
    return document if isinstance(document, Mapping) else None


def whole_number(value: Any) -> int:
    """Return a count as servers give it (seconds, a version): 0 where it is none, 2^31 at most."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return min(max(value, 0), _LARGEST)


def _errors(response: requests.Response) -> list[str]:
    document = json_object(response)
    if document is None:
        # A proxy's page, or Go's own answer to plain HTTP on a TLS port.
        return [_PLAIN_HTTP] if _PLAIN_HTTP.encode() in response.content else []
    errors = document.get("errors")
    return [each for each in errors if isinstance(each, str)] if isinstance(errors, list) else []


def _retry_after(response: requests.Response) -> float | None:
    headers = response.headers
    return retry_after(headers.get("Retry-After"), None, headers.get("Date"))


def _system_words(error: BaseException | None) -> str:
    """Return the operating system's words ("Connection refused") from under a chain of errors."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__context__
    return ""
