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
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from requests import exceptions as http

from rotator.core.error_rules import ErrorRule, Evidence, classify, on
from rotator.core.errors import DriverError, Reason, TemporaryError
from rotator.http.causes import NO_TLS, TLS_WANTED, no_http, system_message
from rotator.http.reading import json_in, list_in, object_in
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
_LONGEST_PAGE = 10_000

_LARGEST = 2**31
_TRUST = "set `ca_file` to the authority that signed it (PEM)"
_REACH = "check `address` (port, http or https), and that the server runs and can be reached"
_WHO = "set `address` to Vault's own host, port and scheme (http or https)"
_NO_HEADER = "the login token or namespace holds characters that no header can carry"

_VAULTS, _ANOTHERS = "vault's", "another's"
"""The evidence's code: who wrote the answer, Vault or OpenBao, or something else."""

# The messages themselves are not shown: they hold URLs with logins of proxies, and header values.
SILENCE = (
    ErrorRule(on(raised=http.ProxyError), Reason.UNREACHABLE,
        "check HTTPS_PROXY and HTTP_PROXY, or name the server in NO_PROXY",
        "the proxy does not let us through", TemporaryError),
    ErrorRule(on(raised=http.SSLError, text="(Hostname|IP address) mismatch"), Reason.UNREACHABLE,
        "set `tls_server_name` to the name in it", "its certificate is for another name"),
    ErrorRule(on(raised=http.SSLError, text="certificate has expired"), Reason.UNREACHABLE,
        "renew the server's certificate, or correct this machine's clock",
        "its certificate has expired"),
    ErrorRule(on(raised=http.SSLError, text="CERTIFICATE_VERIFY_FAILED"), Reason.UNREACHABLE,
        _TRUST, "its certificate is not trusted"),
    ErrorRule(on(code=_ANOTHERS), Reason.MALFORMED, _WHO, "{why}", TemporaryError),
    ErrorRule(on(raised=http.SSLError, text=NO_TLS), Reason.UNREACHABLE,
        "write `http://` in `address`, or the port that speaks TLS", "it does not speak TLS there"),
    ErrorRule(on(raised=http.SSLError, text="ALERT"), Reason.UNREACHABLE,
        "set `client_cert_file` and `client_key_file` if it asks for a client certificate",
        "it does not accept our TLS connection"),
    ErrorRule(on(raised=http.SSLError), Reason.UNREACHABLE, _REACH, "the TLS connection broke",
        TemporaryError),
    ErrorRule(on(raised=http.ConnectTimeout), Reason.TIMEOUT, _REACH, "no connection in time",
        TemporaryError),
    ErrorRule(on(raised=http.Timeout), Reason.TIMEOUT,
        "see whether the server is overloaded: vault status", "no answer in time", TemporaryError),
    ErrorRule(on(raised=(http.InvalidHeader, UnicodeError)), Reason.MALFORMED,
        "write the token alone on one line of its file", _NO_HEADER),
    ErrorRule(on(raised=AnswerTooLongError), Reason.MALFORMED,
        "set `address` to Vault itself: it never says that much", "its answer does not end"),
    ErrorRule(on(raised=UnsafeRedirectError), Reason.UNREACHABLE,
        "set `address` to where it redirects, or correct its `api_addr`",
        "it redirects from TLS to plain HTTP, where no secret is sent"),
    ErrorRule(on(raised=http.TooManyRedirects), Reason.INVALID,
        "set `address` to the Vault server itself", "it redirects in a circle"),
    ErrorRule(on(raised=(http.InvalidURL, http.MissingSchema)), Reason.INVALID,
        "correct `address`", "this is no URL"),
    ErrorRule(on(raised=http.ConnectionError, text="Failed to resolve"), Reason.UNREACHABLE,
        "check the host in `address`, and DNS", "its name is not found", TemporaryError),
    ErrorRule(on(raised=http.RequestException), Reason.UNREACHABLE, _REACH, "{why}",
        TemporaryError),
)  # fmt: skip
"""What it means that no answer came."""

# Go's errors where the server can't reach another one: an API server, an STS, a database.
_NETWORK = "dial tcp|i/o timeout|connection refused|no such host|tls handshake"

_NOT_ACTIVE = "readonly|read-only storage|node not active|active cluster node not found"
_LATER = "nothing to do: it is tried again; if this stays, ask those who run the server"
_STANDBY = "nothing to do: this was a standby, and it is asked again"
_ACTIVE = "set `address` to the active cluster, or to a load balancer that asks /v1/sys/health"
_SHORTEN = "shorten what is written: the server has a limit"

SOON = (
    # A standby that is behind, or that does not know the active node.
    ErrorRule(on(status={412, 473}), Reason.UNAVAILABLE, _STANDBY, kind=TemporaryError),
    ErrorRule(on(status=472), Reason.UNAVAILABLE, _ACTIVE, kind=TemporaryError),
    ErrorRule(on(code=_VAULTS, text=_NOT_ACTIVE), Reason.UNAVAILABLE, _STANDBY,
        kind=TemporaryError),
    ErrorRule(on(code=_VAULTS, text="dr secondary|disaster recovery"), Reason.UNAVAILABLE, _ACTIVE,
        kind=TemporaryError),
    ErrorRule(on(status=429), Reason.THROTTLED,
        "nothing to do: it is tried again; if this stays, raise the quota: vault list sys/quotas",
        kind=TemporaryError),
)  # fmt: skip
"""What passes within seconds: the server has done nothing, and is asked again in the same call."""

ANSWERS = (
    *SOON,
    ErrorRule(on(status=400, text=TLS_WANTED), Reason.INVALID,
        "write `https://` in `address`"),
    ErrorRule(on(code=_VAULTS, text=_NETWORK), Reason.UNAVAILABLE,
        "let the server reach whom it asks: the answer says whom", kind=TemporaryError),
    ErrorRule(on(status={408, 504}), Reason.TIMEOUT, _LATER, kind=TemporaryError),
    ErrorRule(on(status=501), Reason.UNAVAILABLE, "initialize the server: vault operator init",
        kind=TemporaryError),
    ErrorRule(on(status=503, text="sealed"), Reason.UNAVAILABLE,
        "unseal the server: vault operator unseal", kind=TemporaryError),
    ErrorRule(on(status=413), Reason.TOO_LARGE, _SHORTEN),
    ErrorRule(on(status=500, code=_VAULTS, text="too large"), Reason.TOO_LARGE, _SHORTEN),
    ErrorRule(on(status=range(500, 1000)), Reason.UNAVAILABLE, _LATER, kind=TemporaryError),
    # From here on the status alone says nothing: only an answer that is Vault's counts.
    ErrorRule(on(code=_ANOTHERS), Reason.UNAVAILABLE,
        "see what stands before Vault and answers for it (load balancer, firewall, proxy), or set "
        "`address` to Vault itself", "; it is not Vault that answers", TemporaryError),
    ErrorRule(on(status={400, FORBIDDEN}, text="missing client token"), Reason.FORBIDDEN,
        "let the Agent or Proxy add its token: api_proxy {{ use_auto_auth_token = true }}"),
    ErrorRule(on(status=FORBIDDEN), Reason.FORBIDDEN, "a policy of the login must have: {policy}"),
    ErrorRule(on(status=NOT_FOUND, text="no handler for route"), Reason.NOT_FOUND,
        "correct the mount in `path` (vault secrets list), or set `namespace`"),
    ErrorRule(on(status=NOT_FOUND), Reason.NOT_FOUND, "correct `path`, or set `namespace`"),
    ErrorRule(on(status=405), Reason.INVALID, "set `method` to the other of `read` and `write`"),
    ErrorRule(on(), Reason.INVALID, "correct what the server names"),
)  # fmt: skip
"""What each answer means that is no success."""


def failed(error: Exception, what: str) -> DriverError:
    """Return the error for a request that got no answer; raise it again where it is a bug."""
    odd = no_http(error)
    evidence = Evidence(code=_ANOTHERS if odd else "", error=error)
    why = odd or system_message(error) or "no connection"
    return classify(SILENCE, evidence, f"{what}: ", {"why": why})


def refused(
    response: requests.Response, what: str, policy: str, hidden: Iterable[str]
) -> DriverError:
    """Return the error for no success; `policy` would allow it, `hidden` may be repeated in it."""
    text = re.sub(r"\d+ errors? occurred:", "", "; ".join(_texts(response))).replace("*", " ")
    text = shown(text, hidden)
    what = f"{what}: {response.status_code}{f' ({text})' if text else ''}"
    return classify(ANSWERS, evidence_in(response), what, {"policy": policy})


def evidence_in(response: requests.Response) -> Evidence:
    """Return what the rules look at in an answer."""
    headers = response.headers
    return Evidence(
        response.status_code,
        _VAULTS if is_vaults(response) else _ANOTHERS,
        " ".join(_texts(response)),
        retry_after=retry_after(headers.get("Retry-After"), None, headers.get("Date")),
    )


def policy_line(method: str, path: str) -> str:
    """Return the policy in HCL that allows a request."""
    abilities = '"read"' if method == "GET" else '"create", "update"'
    if path.startswith(("sys/", "auth/")) and method != "GET":
        abilities = '"update"'
    return f'path "{path}" {{ capabilities = [{abilities}] }}'


def is_vaults(response: requests.Response) -> bool:
    """Return whether an answer is written as Vault writes: JSON with `errors`, or with `data`."""
    document = object_in(json_in(response.content))
    return isinstance(document.get("errors"), list) or "data" in document


def token_is_bad(response: requests.Response) -> bool:
    """Return whether a 403 means the token itself, not what its policies allow.

    OpenBao 2.7 answers a bare "permission denied" for a token that it does not know, Vault adds
    "invalid token" or "bad token"; a policy's refusal begins with "1 error occurred".
    """
    text = "; ".join(_texts(response))
    is_bad = text == "permission denied" or "invalid token" in text or "bad token" in text
    return is_bad and is_vaults(response)


def _texts(response: requests.Response) -> list[str]:
    """Return the error texts of Vault's answer, or what a person would read on a page."""
    document = json_in(response.content)
    if isinstance(document, dict):
        return [each for each in list_in(document.get("errors")) if isinstance(each, str)]
    page = response.content[:_LONGEST_PAGE].decode("utf-8", "replace")
    page = re.sub(r"(?is)<(script|style|!--).*?(</\1>|-->|$)", " ", page)
    return [html.unescape(re.sub(r"<[^>]*>", " ", page))]


def whole_number(value: Any) -> int:
    """Return a count as servers give it (seconds, a version): 0 where it is none, 2^31 at most."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return min(max(value, 0), _LARGEST)


def duration(value: Any) -> timedelta | None:
    """Return a number of seconds as a duration; None where it is none, or 0."""
    count = whole_number(value)
    return timedelta(seconds=count) if count else None
