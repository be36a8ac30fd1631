"""What an API server's answer means, or its silence, in two tables of rules.

A rule looks at a text made of the answer: the server's message, and in lines of their own the kind
that the answer is about, its causes, and whether a login was sent. The server's own sentence is
shown only where it is an admission policy's, without what we sent: for a patch that it can't
decode, the server quotes the whole object, Secret or not.

https://kubernetes.io/docs/reference/using-api/api-concepts/
https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/api/errors/errors.go
"""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import requests
from urllib3.exceptions import HTTPError

from rotator.core.error_rules import ErrorRule, Evidence, classify, on
from rotator.core.errors import ConflictError, DriverError, Reason, TemporaryError
from rotator.http.causes import NO_TLS, TLS_WANTED, causes, distrust, no_http, system_message
from rotator.http.reading import list_in, object_in
from rotator.http.retry_after import retry_after
from rotator.http.server_text import shown
from rotator.http.session import AnswerTooLongError
from rotator.kubernetes.connection import Connection, NoObjectError, RefusedError
from rotator.kubernetes.place import LARGEST, LARGEST_ANNOTATIONS, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


_POLICY = (
    r"^(\S+ \"[^\"]*\" is forbidden: )?(?P<policy>ValidatingAdmissionPolicy '[^']*' with binding "
    r"'[^']*' denied request|admission webhook \"[^\"]*\" denied the request)"
)
_QUOTA = r"is forbidden: (exceeded|failed) quota: (?P<quota>[^\s,:]+)"
_WEBHOOK = r"failed calling webhook \"(?P<webhook>[^\"]+)\""
_RBAC = (
    r"is forbidden: User \"(?P<user>[^\"]*)\" cannot (?P<verb>[\w:-]+) resource "
    r"\"(?P<what>[^\"]*)\""
)
_NAMES = re.compile(f"{_POLICY}|{_QUOTA}|{_WEBHOOK}|{_RBAC}")
_ANONYMOUS = "system:anonymous"
_NO_LOGIN = r"\nlogin=none$"
_TOO_LONG = r"\ncause=FieldValueTooLong "
_WAIT = "nothing to do if it passes; else: {ready}"
_STRANGER = "check the server's address and proxies: {verbose}"
_SERVER_ERRORS = range(500, 600)

ANSWERS = (
    ErrorRule(on(text=_POLICY), Reason.FORBIDDEN,
        "change what it objects to, or ask who runs the cluster; its policies: {get_all} "
        "validatingadmissionpolicies,validatingwebhookconfigurations",
        "an admission policy forbids it"),
    ErrorRule(on(status=_SERVER_ERRORS, text=_WEBHOOK), Reason.UNAVAILABLE,
        "ask who runs the cluster to start it, or to let it fail open (`failurePolicy`): "
        "{get_all} validatingwebhookconfigurations,mutatingwebhookconfigurations",
        "the server can't reach its admission webhook {webhook}", TemporaryError),
    ErrorRule(on(status=403, text=_QUOTA), Reason.FORBIDDEN,
        "delete what is not needed there, or have it raised: {quota_shown}",
        "the quota {quota} is used up"),
    ErrorRule(on(status=403, text=r"\ncause=NamespaceTerminating "), Reason.NOT_FOUND,
        "wait until it is gone, then: {create_namespace}",
        "the namespace {namespace} is being deleted"),
    ErrorRule(
        on(
            status={401, 403},
            text=f"(?s){re.escape(_ANONYMOUS)}.*{_NO_LOGIN}|^unauthorized.*{_NO_LOGIN}",
        ),
        Reason.LOGIN_REJECTED,
        "give the kubeconfig's context a `user` with a token, a certificate or `exec`: {config}",
        "no login was sent, as the kubeconfig has none",
    ),
    ErrorRule(on(status=401), Reason.LOGIN_REJECTED,
        "renew it; whom the server takes you for: {whoami}",
        "it does not accept the token or certificate"),
    ErrorRule(on(status=403, text=rf'is forbidden: User "{_ANONYMOUS}"'), Reason.LOGIN_REJECTED,
        "renew it, and see whether something before the server ends TLS: {whoami}",
        "it does not accept the login that was sent, and takes us for nobody"),
    ErrorRule(
        on(status=403, text=r"is forbidden: user \"[^\"]*\" cannot impersonate(-on:\S+)? resource"),
        Reason.FORBIDDEN,
        "take `as`, `as-groups`, `as-uid` and `as-user-extra` out of the kubeconfig's user, or add"
        ' to a ClusterRole of {user}: {{apiGroups: [""], resources: ["users", "groups",'
        ' "serviceaccounts"], verbs: ["impersonate"]}}',
        "{user} may not impersonate anybody, as the kubeconfig's `as` asks for",
    ),
    ErrorRule(on(status=403, text=_RBAC), Reason.FORBIDDEN, "{rule}; then: {may_i}",
        "{user} lacks the verb {verb} on {what}"),
    ErrorRule(on(status=403, code="Forbidden"), Reason.FORBIDDEN,
        "ask who runs the cluster; its policies and quotas: {get_all} "
        "validatingadmissionpolicies,resourcequotas -A",
        "an admission plugin of the cluster forbids it"),
    ErrorRule(on(status=404, text=r"\nkind=namespaces\n"), Reason.NOT_FOUND,
        "make it: {create_namespace}", "the namespace {namespace} does not exist"),
    ErrorRule(on(status=404, text=r"\nkind=\w"), Reason.CONFLICT, "",
        "it was deleted since it was read", ConflictError),
    ErrorRule(on(status=404), Reason.INVALID, _STRANGER, "no Kubernetes API server says that"),
    ErrorRule(on(status=409), Reason.CONFLICT, "", "somebody else wrote it since it was read",
        ConflictError),
    ErrorRule(on(status=413), Reason.TOO_LARGE,
        "publish fewer registries here (`registries`); what is in it: {show}",
        "the request is larger than the server, or a proxy before it, takes"),
    ErrorRule(on(status=422, text=rf"{_TOO_LONG}metadata\.annotations"), Reason.TOO_LARGE,
        "make the target's `annotations` shorter, or take others out of the object: {show}",
        f"all annotations of an object may have {LARGEST_ANNOTATIONS} bytes together"),
    ErrorRule(on(status=422, text=_TOO_LONG), Reason.TOO_LARGE,
        "publish fewer registries here (`registries`), or use an object of its own; what is in "
        "it: {show}", f"all values of an object may have {LARGEST} bytes together"),
    ErrorRule(on(status=422, text=r"\ncause=\w+ type\n"), Reason.IMMUTABLE, "{keep_type}",
        "the Secret that is there has another type, and a type can't change"),
    ErrorRule(on(status=422, text=r"immutable(?s:.)*\ncause=FieldValueForbidden "),
        Reason.IMMUTABLE, "{replace_it}", "it is immutable"),
    ErrorRule(on(status=422, text=r"\ncause=\w* (\[\]|)\n|^(?!(?s:.)*\ncause=)"), Reason.INVALID,
        "check the target's labels, annotations, key and type; what is there: {show}",
        "it objects to the request"),
    ErrorRule(on(status=422), Reason.INVALID,
        "check the target's labels, annotations, key and type; what is there: {show}",
        "it objects to {fields}"),
    ErrorRule(on(status=400, text=TLS_WANTED), Reason.INVALID,
        "write https:// in the kubeconfig's `server`: {config}",
        "it speaks TLS, and the kubeconfig's `server` begins with http://"),
    ErrorRule(on(status=400), Reason.INVALID,
        "check the target's labels, annotations, key and type; what is there: {show}",
        "it objects to the request"),
    ErrorRule(on(status=429), Reason.THROTTLED, _WAIT, "too many requests", TemporaryError),
    ErrorRule(on(status=_SERVER_ERRORS), Reason.UNAVAILABLE, _WAIT, "it is not able to answer now",
        TemporaryError),
    ErrorRule(on(), Reason.INVALID, _STRANGER, "no Kubernetes API server says that"),
)  # fmt: skip
"""What each answer other than success means; the first that matches decides."""

SILENCE = (
    ErrorRule(on(raised=requests.Timeout), Reason.TIMEOUT, "see whether it is up: {ready}",
        "it did not answer in time", TemporaryError),
    ErrorRule(on(raised=requests.exceptions.ProxyError), Reason.UNREACHABLE,
        "see the kubeconfig's `proxy-url`, or $HTTPS_PROXY and $NO_PROXY: {ready}",
        "the proxy does not let it through", TemporaryError),
    ErrorRule(on(code="no HTTP"), Reason.MALFORMED, _STRANGER, "{why}", TemporaryError),
    ErrorRule(
        on(raised=requests.exceptions.SSLError, text=NO_TLS),
        Reason.UNREACHABLE,
        "correct the kubeconfig's `server`: its port may speak plain HTTP: {config}",
        "what answers there speaks no TLS"),
    ErrorRule(on(raised=requests.exceptions.SSLError), Reason.UNREACHABLE,
        "check the kubeconfig's `certificate-authority`, `tls-server-name` and client "
        "certificate: {ready}", "no TLS connection: {why}"),
    ErrorRule(on(raised=requests.ConnectionError), Reason.UNREACHABLE,
        "see whether it is up: {ready}", "it is out of reach: {why}", TemporaryError),
    ErrorRule(on(raised=(AnswerTooLongError, NoObjectError)), Reason.MALFORMED, _STRANGER,
        "its answer is no {kind}, so it is no Kubernetes API server"),
    ErrorRule(on(raised=requests.RequestException), Reason.INVALID, "correct it: {config}",
        "the kubeconfig's `server` is no address that can be asked"),
)  # fmt: skip
"""The meaning of no answer, or of one that can't be understood."""

Got = TypeVar("Got")

_LONGEST_POLICY = 2000
_MOST_FIELDS = 10


def ask(
    place: Place, verb: str, request: Callable[[Connection], Got], hidden: Iterable[str] = ()
) -> Got:
    """Return what `request` gets; `verb`: a Role has to allow it; `hidden`: in no error."""
    connection = place.access.open()
    try:
        return request(connection)
    except RefusedError as error:
        if error.status == requests.codes.unauthorized:
            place.access.forget()
        raise _refused(error, place, verb, connection, hidden) from None
    except (requests.RequestException, NoObjectError, HTTPError, OSError) as error:
        raise _unanswered(error, place, verb, connection) from None


def _refused(
    error: RefusedError, place: Place, verb: str, connection: Connection, hidden: Iterable[str]
) -> DriverError:
    message = " ".join(str(error.body.get("message") or "" if error.body else error.text).split())
    details = object_in(error.body.get("details"))
    found = [object_in(one) for one in list_in(details.get("causes"))]
    named = _NAMES.search(message)
    names = {key: value for key, value in (named.groupdict() if named else {}).items() if value}
    secrets = [*connection.login.secrets(), *hidden]
    fields = [shown(str(one.get("field") or ""), secrets) for one in found[:_MOST_FIELDS]]
    text = "\n".join(
        (
            message,
            f"kind={details.get('kind', '')}",
            *(f"cause={one.get('reason', '')} {one.get('field', '')}" for one in found),
            f"login={'sent' if connection.login else 'none'}",
        )
    )
    evidence = Evidence(
        error.status,
        str(error.body.get("reason") or ""),
        text,
        shown(message, secrets, _LONGEST_POLICY) if "policy" in names else "",
        retry_after=retry_after(error.headers.get("Retry-After"), datetime.now(UTC)),
    )
    given = _given(place, verb) | {key: shown(value, secrets) for key, value in names.items()}
    given |= {"fields": ", ".join(dict.fromkeys(filter(None, fields)))}
    quota = f"-n {place.namespace} get resourcequota {given.get('quota', '')} -o yaml"
    given["quota_shown"] = place.access.kubectl_of_others(quota)
    what = f"{connection.server} returned {error.status} to {verb} {place}: "
    return classify(ANSWERS, evidence, what, given)


def _unanswered(error: Exception, place: Place, verb: str, connection: Connection) -> DriverError:
    known = isinstance(error, requests.RequestException | NoObjectError)
    odd = no_http(error)
    evidence = Evidence(
        code="no HTTP" if odd else "", error=error if known else requests.ConnectionError(error)
    )
    tls = [one.reason or "TLS" for one in causes(error) if isinstance(one, ssl.SSLError)]
    broken = tls[0].replace("_", " ") if tls else system_message(error) or "the connection broke"
    given = {**_given(place, verb), "why": odd or (distrust(error) or broken).lower()}
    return classify(SILENCE, evidence, f"{connection.server} for {place}: ", given)


def _given(place: Place, verb: str) -> dict[str, Any]:
    """Return what the rules name in braces."""
    access = place.access
    return {
        "kind": place.kind,
        "namespace": place.namespace,
        "rule": place.rule(verb),
        "may_i": place.may_i(verb),
        "show": place.show(),
        "replace_it": place.replace_it(),
        "keep_type": place.keep_type(),
        "verbose": place.kubectl("get KIND NAME -v 6"),
        "create_namespace": access.kubectl_of_others(f"create namespace {place.namespace}"),
        "get_all": access.kubectl_of_others("get"),
        "ready": access.kubectl("get --raw /readyz"),
        "whoami": access.kubectl("auth whoami"),
        "config": access.kubectl("config view --minify"),
    }
