"""From an API server's answer, or its silence, to our errors.

The server's own sentence is shown only where it is an admission policy's, without what we sent: for
a patch that it can't decode, the server quotes the whole object, Secret or not.

https://kubernetes.io/docs/reference/using-api/api-concepts/
https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/api/errors/errors.go
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import requests
from urllib3.exceptions import HTTPError

from rotator.http.causes import causes, distrust, system_message
from rotator.http.error_rules import Evidence, classify
from rotator.http.retry_after import retry_after
from rotator.http.server_text import shown
from rotator.kubernetes.answers import ANSWERS, NAMES, SILENCE
from rotator.kubernetes.connection import NoObjectError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rotator.core.errors import DriverError
    from rotator.kubernetes.connection import Connection
    from rotator.kubernetes.place import Place

Got = TypeVar("Got")

_LONGEST_POLICY = 2000
_MOST_FIELDS = 10


def ask(
    place: Place, verb: str, request: Callable[[Connection], Got], hidden: Iterable[str] = ()
) -> Got:
    """Return what `request` gets from the API server of a place; raise a `DriverError` else.

    `verb`: what a Role has to allow. `hidden`: what was sent and may not appear in an error.
    """
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
    message = str(error.body.get("message") or "") if error.body else error.text
    message = " ".join(message.split())
    details = error.body.get("details")
    details = details if isinstance(details, dict) else {}
    found = [one for one in _listed(details.get("causes")) if isinstance(one, dict)]
    named = NAMES.search(message)
    names = {key: value for key, value in (named.groupdict() if named else {}).items() if value}
    said = message if "policy" in names else ""
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
        shown(said, secrets, _LONGEST_POLICY),
        retry_after=retry_after(error.headers.get("Retry-After"), datetime.now(UTC)),
    )
    given = _given(place, verb) | {key: shown(value, secrets) for key, value in names.items()}
    given |= {"fields": ", ".join(dict.fromkeys(filter(None, fields)))}
    quota = f"-n {place.namespace} get resourcequota {given.get('quota', '')} -o yaml"
    given["quota_shown"] = place.access.kubectl_of_others(quota)
    what = f"{connection.server} returned {error.status} to {verb} {place}: "
    return classify(ANSWERS, evidence, what, given)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _unanswered(error: Exception, place: Place, verb: str, connection: Connection) -> DriverError:
    known = isinstance(error, requests.RequestException | NoObjectError)
    evidence = Evidence(error=error if known else requests.ConnectionError(error))
    tls = next((one for one in causes(error) if isinstance(one, ssl.SSLError)), None)
    broken = (tls.reason or "TLS").replace("_", " ") if tls else system_message(error)
    why = distrust(error) or broken
    given = {**_given(place, verb), "why": (why or "the connection broke").lower()}
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
