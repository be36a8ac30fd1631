"""What an API server's answers mean, and the `kubectl` commands that mend what they tell.

The server's own sentence is never repeated: for a patch it can't decode it quotes the whole
object, Secret or not. What is used of an answer: its status, the user it names, the fields it
objects to, and what an admission policy's sentence says before the word `denied`.

https://kubernetes.io/docs/reference/using-api/api-concepts/
https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/api/errors/errors.go
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import msgspec
from lightkube import ApiError

from rotator.core.errors import (
    ConflictError,
    DriverError,
    GoneError,
    PermanentError,
    Reason,
    TemporaryError,
)
from rotator.http.causes import causes
from rotator.http.retry_after import retry_after
from rotator.http.server_text import shown

if TYPE_CHECKING:
    from rotator.targets.kubernetes_access import Access

VERBS = {"GET": "get", "POST": "create", "PATCH": "patch"}
"""The verb that a Role has to allow for a request of this method."""

LARGEST = 1024 * 1024
"""Bytes that all values of one object may have together.
https://kubernetes.io/docs/concepts/configuration/configmap/#motivation"""

_MOST_FIELDS = 10
_RBAC = re.compile(r'User "(?P<user>[^"]+)" cannot (?P<verb>\w+) resource')


@dataclass(frozen=True, slots=True)
class Place:
    """One key of one object, and how its cluster is reached."""

    kind: str
    namespace: str
    object_name: str
    key: str
    access: Access

    def __str__(self) -> str:
        """Return the object's full name."""
        return f"{self.kind} {self.namespace}/{self.object_name}"

    def kubectl(self, command: str) -> str:
        """Return a command line for this namespace, where KIND and NAME stand for the object."""
        command = command.replace("KIND", self.kind).replace("NAME", self.object_name)
        return self.access.kubectl(f"-n {self.namespace} {command}")

    def too_large(self, size: int | None = None) -> DriverError:
        """Return the error for a document that does not fit into the object."""
        have = f"the document has {size} bytes, and" if size else "the document does not fit:"
        return PermanentError(
            Reason.TOO_LARGE,
            f"{have} all values of {self} may have {LARGEST} bytes together",
            "publish fewer registries here (`registries`), or use an object of its own; what is in"
            f" it: {self.kubectl('describe KIND NAME')}",
        )

    def rule(self, verb: str) -> str:
        """Return what a Role has to have so that this verb is allowed."""
        # A create names nothing yet when it is judged, so a rule can't restrict it to a name.
        names = "" if verb == "create" else f' resourceNames: ["{self.object_name}"],'
        return (
            f"add to its Role in namespace {self.namespace}:"
            f' {{apiGroups: [""], resources: ["{self.kind}s"],{names} verbs: ["{verb}"]}}'
        )

    def immutable(self, why: str) -> DriverError:
        """Return the error for an object that takes no change."""
        keep = self.kubectl("get KIND NAME -o yaml")
        return PermanentError(
            Reason.IMMUTABLE,
            f"{self} {why}",
            "delete it, and rotator makes it anew (save its other keys first:"
            f" {keep} > {self.object_name}.yaml): {self.kubectl('delete KIND NAME')}",
        )

    def not_text(self) -> DriverError:
        """Return the error for a value that is no text, such as a file that Windows has written."""
        field = "data" if self.kind == "secret" else "binaryData"
        remove = f'{{"{field}":{{"{self.key}":null}}}}'
        return GoneError(
            Reason.MALFORMED,
            f"{self.key} in {self} is no UTF-8 text",
            f"take it out: {self.kubectl(f'patch KIND NAME --type merge -p {remove!r}')}",
        )

    def no_object(self) -> DriverError:
        """Return the error for an answer that is no object of this kind."""
        return PermanentError(
            Reason.MALFORMED,
            f"what answered for {self} is no Kubernetes API server: its answer is no {self.kind}",
            f"check the server's address and proxies: {self.kubectl('get KIND NAME -v 6')}",
        )


def explain(error: Exception, place: Place) -> DriverError | None:
    """Return what the failure of a request means; None where it is nothing that a server does."""
    if isinstance(error, httpx2.HTTPStatusError):
        return _Answer(error, place).meaning()
    # lightkube fails with an error of its own on an error answer that is no Status.
    answer = next((one for one in causes(error) if isinstance(one, httpx2.HTTPStatusError)), None)
    if answer is not None:
        return _Answer(answer, place).meaning()
    if isinstance(error, httpx2.TransportError):
        return _no_answer(error, place)
    if isinstance(error, httpx2.DecodingError | msgspec.DecodeError | RecursionError):
        return place.no_object()
    return None


def is_missing(error: ApiError) -> bool:
    """Tell whether an API server (and not a proxy before it) says that there is no such object."""
    details = error.status.details
    return error.status.reason == "NotFound" and details is not None and details.kind is not None


def _no_answer(error: httpx2.TransportError, place: Place) -> DriverError:
    server = _server(error.request)
    see = place.access.kubectl("get --raw /readyz")
    if isinstance(error, httpx2.TimeoutException):
        detail = f"{server} did not answer in time for {place}"
        return TemporaryError(Reason.TIMEOUT, detail, f"see whether it is up: {see}")
    tls = next((cause for cause in causes(error) if isinstance(cause, ssl.SSLError)), None)
    if tls is not None:
        why = getattr(tls, "verify_message", None) or (tls.reason or "TLS").lower().replace(
            "_", " "
        )
        return PermanentError(
            Reason.UNREACHABLE,
            f"no TLS connection to {server}: {why}",
            "check the kubeconfig's certificate-authority, the server's name in its certificate and"
            f" the client certificate: {see}",
        )
    if isinstance(error, httpx2.UnsupportedProtocol):
        detail = f"the server's address in the kubeconfig is no URL: {server}"
        return PermanentError(Reason.INVALID, detail, f"mend it: {see}")
    words = (cause.strerror for cause in causes(error) if isinstance(cause, OSError))
    why = next((text for text in words if text), "the connection broke")
    detail = f"{server} is out of reach for {place}: {why.lower()}"
    return TemporaryError(Reason.UNREACHABLE, detail, f"see whether it is up: {see}")


class _Answer:
    """An answer other than success."""

    def __init__(self, error: httpx2.HTTPStatusError, place: Place) -> None:
        self.place = place
        self.code = error.response.status_code
        self.headers = error.response.headers
        self.sent = error.request.headers.get("Authorization", "").partition(" ")[2:]
        self.verb = VERBS[error.request.method]
        self.status = error.status if isinstance(error, ApiError) else None
        self.what = f"{_server(error.request)} answered {self.code} to {self.verb} {place}"

    def meaning(self) -> DriverError:
        """Return the error for this status, by the table below."""
        known = {
            400: self._invalid,
            401: self._not_logged_in,
            403: self._forbidden,
            404: self._not_found,
            409: self._conflict,
            413: self.place.too_large,
            422: self._unprocessable,
            429: self._busy,
        }
        if self.code in known:
            return known[self.code]()
        return self._busy() if self.code >= httpx2.codes.INTERNAL_SERVER_ERROR else self._stranger()

    def _not_logged_in(self) -> DriverError:
        return PermanentError(
            Reason.LOGIN_REJECTED,
            f"{self.what}: it does not accept the token or certificate",
            f"renew it; who the server takes you for: {self.place.access.kubectl('auth whoami')}",
        )

    def _forbidden(self) -> DriverError:
        if self._causes("NamespaceTerminating"):
            return self._namespace("is being deleted")
        rbac = _RBAC.search(self._message())
        if rbac is None:
            return self._denied()
        kind, name = f"{self.place.kind}s", self.place.object_name
        asked = kind if self.verb == "create" else f"{kind}/{name}"
        can_i = self.place.kubectl(f"auth can-i {self.verb} {asked} --as {rbac['user']}")
        return PermanentError(
            Reason.FORBIDDEN,
            f"{self.what}: {rbac['user']} lacks the verb {self.verb} on {kind}",
            f"{self.place.rule(self.verb)}; then: {can_i}",
        )

    def _denied(self) -> DriverError:
        who, denied, _ = self._message().partition(" denied ")
        by = f"{who} denied it" if denied else "a quota or an admission policy forbids it"
        return PermanentError(
            Reason.FORBIDDEN,
            f"{self.what}: {by}",
            f"ask who runs the cluster; its quotas: {self.place.kubectl('describe quota')}; its"
            " policies: kubectl get validatingadmissionpolicies,validatingwebhookconfigurations",
        )

    def _not_found(self) -> DriverError:
        details = self.status.details if self.status else None
        if details is None or details.kind is None:
            return self._stranger()
        if details.kind == "namespaces":
            return self._namespace("does not exist")
        return ConflictError(f"{self.place} was deleted since it was read")

    def _conflict(self) -> DriverError:
        return ConflictError(f"somebody else wrote {self.place} since it was read")

    def _unprocessable(self) -> DriverError:
        if self._causes("FieldValueTooLong"):
            return self.place.too_large()
        if "type" in self._fields():
            return self.place.immutable("has another type, and a Secret's type can't change")
        if self._causes("FieldValueForbidden") and "immutable" in self._message():
            return self.place.immutable("is immutable")
        return self._invalid()

    def _invalid(self) -> DriverError:
        if " denied " in self._message():
            return self._denied()
        fields = ", ".join(self._fields())
        return PermanentError(
            Reason.INVALID,
            f"{self.what}: it objects to {fields or 'the request'}",
            "check the target's labels, annotations, key and type; what is there:"
            f" {self.place.kubectl('get KIND NAME -o yaml')}",
        )

    def _busy(self) -> DriverError:
        throttled = self.code == httpx2.codes.TOO_MANY_REQUESTS
        headers = self.headers
        return TemporaryError(
            Reason.THROTTLED if throttled else Reason.UNAVAILABLE,
            f"{self.what}: {'too many requests' if throttled else 'it is not able to answer now'}",
            f"nothing to do if it passes; else: {self.place.access.kubectl('get --raw /readyz')}",
            retry_after=retry_after(headers.get("Retry-After"), None, headers.get("Date")),
        )

    def _namespace(self, why: str) -> DriverError:
        make = self.place.access.kubectl(f"create namespace {self.place.namespace}")
        return PermanentError(
            Reason.NOT_FOUND, f"the namespace {self.place.namespace} {why}", f"make it: {make}"
        )

    def _stranger(self) -> DriverError:
        return PermanentError(
            Reason.INVALID,
            f"{self.what}, which is not how a Kubernetes API server speaks",
            f"check the server's address and proxies: {self.place.kubectl('get KIND NAME -v 6')}",
        )

    def _message(self) -> str:
        return shown((self.status.message if self.status else None) or "", self.sent)

    def _fields(self) -> list[str]:
        details = self.status.details if self.status else None
        causes = (details.causes if details else None) or []
        return [shown(cause.field, self.sent) for cause in causes[:_MOST_FIELDS] if cause.field]

    def _causes(self, reason: str) -> bool:
        details = self.status.details if self.status else None
        causes = (details.causes if details else None) or []
        return any(cause.reason == reason for cause in causes)


def _server(request: httpx2.Request) -> str:
    # Without user and path: an address may hold a login, and the path says what `place` does.
    return f"{request.url.scheme}://{request.url.netloc.decode()}"
