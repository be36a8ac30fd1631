"""What a Vault server's answer means, or a request that got none, in two tables of rules.

Statuses: https://developer.hashicorp.com/vault/api-docs#http-status-codes and
https://developer.hashicorp.com/vault/api-docs/system/health; what standbys answer:
https://developer.hashicorp.com/vault/docs/enterprise/consistency

A load balancer, firewall or proxy before the server answers in its own way (mostly HTML) and with
the same statuses. Such an answer says nothing of a login or a policy, so it is temporary.
"""

from __future__ import annotations

import html
import re
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from requests import exceptions as http

from rotator.core.errors import DriverError, PermanentError, Reason, TemporaryError
from rotator.http.server_text import shown
from rotator.http.session import AnswerTooLongError
from rotator.system.error_rule import ErrorRule, classify
from rotator.vault.reply import json_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import requests


class UnsafeRedirectError(http.RequestException):
    """A server that is spoken to over TLS wants the request sent on in plain."""


FORBIDDEN = 403
NOT_FOUND = 404
_LONGEST_PAGE = 10_000

_TRUST = "set `ca_file` to the authority that signed it (PEM)"
_REACH = "check `address`, and that the server runs and this machine may reach it"
_NO_CONNECTION = "no connection"


def _raised(
    cause: type[Exception], part: str, reason: Reason, detail: str, hint: str, *, lasts: bool = True
) -> ErrorRule[Exception]:
    """Return a rule for an exception with this text in its message; `lasts`: waiting won't help."""
    return ErrorRule(
        lambda error: isinstance(error, cause) and part in str(error),
        reason,
        hint,
        detail,
        PermanentError if lasts else TemporaryError,
    )


_brief = partial(_raised, lasts=False)

# The messages themselves are not shown: they hold URLs with logins of proxies, and header values.
_FAILURES: tuple[ErrorRule[Exception], ...] = (
    _brief(http.ProxyError, "", Reason.UNREACHABLE, "the proxy does not let us through",
           "check HTTPS_PROXY and HTTP_PROXY, or name the server in NO_PROXY"),
    _raised(http.SSLError, "Hostname mismatch", Reason.UNREACHABLE,
            "its certificate is for another name", "set `tls_server_name` to the name in it"),
    _raised(http.SSLError, "IP address mismatch", Reason.UNREACHABLE,
            "its certificate is for another name", "set `tls_server_name` to the name in it"),
    _raised(http.SSLError, "certificate has expired", Reason.UNREACHABLE,
            "its certificate has expired",
            "renew the server's certificate, or correct this machine's clock"),
    _raised(http.SSLError, "CERTIFICATE_VERIFY_FAILED", Reason.UNREACHABLE,
            "its certificate is not trusted", _TRUST),
    _raised(http.SSLError, "WRONG_VERSION_NUMBER", Reason.UNREACHABLE,
            "it does not speak TLS there",
            "write `http://` in `address`, or the port that speaks TLS"),
    _raised(http.SSLError, "ALERT", Reason.UNREACHABLE, "it does not accept our TLS connection",
            "set `client_cert_file` and `client_key_file` if it asks for a client certificate"),
    _brief(http.SSLError, "", Reason.UNREACHABLE, "the TLS connection broke", _REACH),
    _brief(http.ConnectTimeout, "", Reason.TIMEOUT, "no connection in time", _REACH),
    _brief(http.Timeout, "", Reason.TIMEOUT, "no answer in time",
           "see whether the server is overloaded: vault status"),
    _raised(http.InvalidHeader, "", Reason.MALFORMED,
            "the login token or namespace holds characters that no header can carry",
            "write the token alone on one line of its file"),
    _raised(UnicodeError, "", Reason.MALFORMED,
            "the login token or namespace holds characters that no header can carry",
            "write the token alone on one line of its file"),
    _raised(AnswerTooLongError, "", Reason.MALFORMED, "its answer does not end",
            "set `address` to Vault itself: it never says that much"),
    _raised(UnsafeRedirectError, "", Reason.UNREACHABLE,
            "it redirects from TLS to plain HTTP, where no secret is sent",
            "set `address` to where it redirects, or correct its `api_addr`"),
    _raised(http.TooManyRedirects, "", Reason.INVALID, "it redirects in a circle",
            "set `address` to the Vault server itself"),
    _raised(http.InvalidURL, "", Reason.INVALID, "this is no URL", "correct `address`"),
    _raised(http.MissingSchema, "", Reason.INVALID, "this is no URL", "correct `address`"),
    _brief(http.ConnectionError, "Failed to resolve", Reason.UNREACHABLE,
           "its name is not found", "check the host in `address`, and DNS"),
    _brief(http.RequestException, "", Reason.UNREACHABLE, _NO_CONNECTION, _REACH),
)  # fmt: skip


class Refusal(Struct, frozen=True):
    """An answer that is no success: its status, and its text in lower case.

    `is_vaults`: it is written as Vault and OpenBao write, and not by something before them.
    """

    status: int
    text: str
    is_vaults: bool


_PLAIN_HTTP = "sent an http request to an https server"

# What Go says where the server can't reach whom it asks itself: an API server, an STS, a database.
_NETWORK = ("dial tcp", "i/o timeout", "connection refused", "no such host", "tls handshake")

_LATER = "nothing to do: it is tried again; if this stays, ask whoever runs the server"
_STANDBY = "nothing to do: this was a standby, and it is asked again"
_ACTIVE = "set `address` to the active cluster, or to a load balancer that asks /v1/sys/health"
_BEFORE = (
    "see what stands before Vault and answers for it (load balancer, firewall, proxy), or set "
    "`address` to Vault itself"
)


def _is(
    *statuses: int, text: tuple[str, ...] = ("",), anyones: bool = True
) -> Callable[[Refusal], bool]:
    """Return what matches these statuses (none: any) with one of these texts in the answer."""

    def matches(answer: Refusal) -> bool:
        return (
            (not statuses or answer.status in statuses)
            and any(part in answer.text for part in text)
            and (anyones or answer.is_vaults)
        )

    return matches


_ANSWERS: tuple[ErrorRule[Refusal], ...] = (
    ErrorRule(_is(400, text=(_PLAIN_HTTP,)), Reason.INVALID, "write `https://` in `address`"),
    # A standby that is behind, or that does not know the active node.
    ErrorRule(_is(412), Reason.UNAVAILABLE, _STANDBY, kind=TemporaryError, soon=True),
    ErrorRule(_is(472), Reason.UNAVAILABLE, _ACTIVE, kind=TemporaryError, soon=True),
    ErrorRule(_is(473), Reason.UNAVAILABLE, _STANDBY, kind=TemporaryError, soon=True),
    ErrorRule(
        _is(text=("readonly", "read-only storage"), anyones=False),
        *(Reason.UNAVAILABLE, _STANDBY), kind=TemporaryError, soon=True,
    ),
    ErrorRule(
        _is(text=("node not active", "active cluster node not found"), anyones=False),
        *(Reason.UNAVAILABLE, _STANDBY), kind=TemporaryError, soon=True,
    ),
    ErrorRule(
        _is(text=("dr secondary", "disaster recovery"), anyones=False),
        *(Reason.UNAVAILABLE, _ACTIVE), kind=TemporaryError, soon=True,
    ),
    ErrorRule(
        _is(429), Reason.THROTTLED,
        "nothing to do: it is tried again; if this stays, raise the quota: vault list sys/quotas",
        kind=TemporaryError, soon=True,
    ),
    ErrorRule(
        _is(text=_NETWORK, anyones=False), Reason.UNAVAILABLE,
        "let the server reach whom it asks: the answer says whom", kind=TemporaryError,
    ),
    ErrorRule(_is(408, 504), Reason.TIMEOUT, _LATER, kind=TemporaryError),
    ErrorRule(
        _is(501), Reason.UNAVAILABLE, "initialize the server: vault operator init",
        kind=TemporaryError,
    ),
    ErrorRule(
        _is(503, text=("sealed",)), Reason.UNAVAILABLE,
        "unseal the server: vault operator unseal", kind=TemporaryError,
    ),
    ErrorRule(
        _is(413), Reason.TOO_LARGE, "shorten what is written: the server has a limit"
    ),
    ErrorRule(
        _is(500, text=("too large",), anyones=False), Reason.TOO_LARGE,
        "shorten what is written: the server has a limit",
    ),
    ErrorRule(
        lambda answer: answer.status >= 500, Reason.UNAVAILABLE, _LATER, kind=TemporaryError  # noqa: PLR2004  a server's fault
    ),
    # From here on the status alone says nothing: only an answer that is Vault's counts.
    ErrorRule(
        lambda answer: not answer.is_vaults, Reason.UNAVAILABLE, _BEFORE,
        "it is not Vault that answers", TemporaryError,
    ),
    ErrorRule(
        _is(400, 403, text=("missing client token",)), Reason.FORBIDDEN,
        "let the Agent or Proxy add its token: api_proxy { use_auto_auth_token = true }",
    ),
    ErrorRule(_is(FORBIDDEN), Reason.FORBIDDEN, ""),
    ErrorRule(
        _is(NOT_FOUND, text=("no handler for route",)), Reason.NOT_FOUND,
        "correct the mount in `path` (vault secrets list), or set `namespace`",
    ),
    ErrorRule(_is(NOT_FOUND), Reason.NOT_FOUND, "correct `path`, or set `namespace`"),
    ErrorRule(_is(405), Reason.INVALID, "set `method` to the other of `read` and `write`"),
    ErrorRule(lambda _: True, Reason.INVALID, "correct what the server names"),
)  # fmt: skip


def failed(error: Exception, what: str) -> DriverError:
    """Return the error for a request that got no answer.

    `what` says what was asked of whom ("cannot read secret/data/x at https://vault:8200").
    """
    rule = classify(error, _FAILURES)
    if rule is None:
        raise error
    why = _system_text(error) if rule.detail == _NO_CONNECTION else ""
    return rule.error(f"{what}: {why or rule.detail}")


def refused(
    response: requests.Response, what: str, policy: str, hidden: Iterable[str]
) -> DriverError:
    """Return the error for an answer that is no success.

    `policy` is the policy line that would allow it, `hidden` are secrets that the server may have
    repeated in it.
    """
    rule, text = rule_for(response), server_text(response, hidden)
    detail = f"{what}: {response.status_code}{f' ({text})' if text else ''}"
    if rule.detail:
        detail += f"; {rule.detail}"
    hint = rule.hint or f"a policy of the login must have: {policy}"
    return rule.error(detail, hint, retry_after(response))


def rule_for(response: requests.Response) -> ErrorRule[Refusal]:
    """Return what an answer means that is no success."""
    text = " ".join(_texts(response)).lower()
    rule = classify(Refusal(response.status_code, text, is_vaults(response)), _ANSWERS)
    return rule or _ANSWERS[-1]


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


def is_vaults(response: requests.Response) -> bool:
    """Return whether an answer is written as Vault writes: JSON with `errors`, or with `data`."""
    document = json_object(response)
    return document is not None and (isinstance(document.get("errors"), list) or "data" in document)


def token_is_bad(response: requests.Response) -> bool:
    """Return whether a 403 means the token itself, not what its policies allow.

    OpenBao 2.7 answers a bare "permission denied" for a token that it does not know, Vault adds
    "invalid token" or "bad token"; a policy's refusal begins with "1 error occurred".
    """
    text = "; ".join(_texts(response))
    return is_vaults(response) and (
        text == "permission denied" or "invalid token" in text or "bad token" in text
    )


def server_text(response: requests.Response, hidden: Iterable[str]) -> str:
    """Return the answer's own texts in one line, with every known secret blotted out."""
    text = re.sub(r"\d+ errors? occurred:", "", "; ".join(_texts(response))).replace("*", " ")
    return shown(text, hidden)


def retry_after(response: requests.Response) -> float | None:
    """Return the header's seconds, counted from the server's own clock where it is a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
        wait = then - parsedate_to_datetime(response.headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return max(wait.total_seconds(), 0.0)


def _texts(response: requests.Response) -> list[str]:
    """Return the error texts of Vault's answer, or what a person would read on a page."""
    document = json_object(response)
    if document is not None:
        errors = document.get("errors")
        return (
            [each for each in errors if isinstance(each, str)] if isinstance(errors, list) else []
        )
    page = response.content[:_LONGEST_PAGE].decode("utf-8", "replace")
    page = re.sub(r"(?is)<(script|style|!--).*?(</\1>|-->|$)", " ", page)
    return [html.unescape(re.sub(r"<[^>]*>", " ", page))]


def _system_text(error: BaseException | None) -> str:
    """Return the operating system's text ("Connection refused") from under a chain of errors."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__context__
    return ""
