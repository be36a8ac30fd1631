"""The requests about one ConfigMap, Secret or service account, and what an object holds."""

from __future__ import annotations

import base64
import json
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests
from msgspec import Struct

from rotator.core import docker_config
from rotator.core.errors import DriverError, GoneError, PermanentError, Reason
from rotator.core.mark import from_annotations
from rotator.core.model import Held, Secret
from rotator.http.reading import list_in, object_in
from rotator.http.server_text import shown
from rotator.kubernetes.connection import Connection, RefusedError
from rotator.kubernetes.errors import ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rotator.kubernetes.place import Place

Body = dict[str, Any]

_FIELD_MANAGER = "rotator"


class NoDryRunError(Exception):
    """An admission webhook can't be asked in advance: it says that it does more than answer."""


def get(place: Place) -> Body | None:
    """Return a place's object; None where an API server, not a proxy, says that there is none."""

    def request(connection: Connection) -> Body | None:
        try:
            return connection.send("GET", _path(place, place.object_name))
        except RefusedError as error:
            kind = object_in(error.body.get("details")).get("kind")
            is_missing = error.status == requests.codes.not_found
            if is_missing and kind and error.body.get("reason") == "NotFound":
                return None
            raise

    return ask(place, "get", request)


def change(
    place: Place, changes: Body, hidden: Iterable[str] = (), *, dry: bool = False, new: bool = False
) -> Body:
    """Change a place's object, or make a new one; return what the server has then.

    `hidden`: in no error. `dry`: nothing is changed; raises `NoDryRunError` where that can't be.
    """
    verb, method, path = "patch", "PATCH", _path(place, place.object_name)
    kind = "application/merge-patch+json"
    if new:
        verb, method, path, kind = "create", "POST", _path(place), "application/json"
    query = {"fieldManager": _FIELD_MANAGER} | ({"dryRun": "All"} if dry else {})

    def request(connection: Connection) -> Body:
        try:
            return connection.send(method, path, changes, kind=kind, **query)
        except RefusedError as error:
            if dry and "does not support dry run" in str(error.body.get("message")):
                raise NoDryRunError from None
            raise

    return ask(place, verb, request, hidden)


def _path(place: Place, name: str = "") -> str:
    parts = ("api", "v1", "namespaces", place.namespace, place.plural, name)
    return "".join(f"/{quote(part, safe='')}" for part in parts if part)


class Version(Struct, frozen=True):
    """The object's `resourceVersion`, and who wrote the key last if that was not rotator."""

    resource: str
    manager: str | None = None


def held(found: Body, place: Place, secret_type: str | None) -> Held:
    """Return what an object holds; raise `PermanentError` (malformed) or `GoneError`."""
    metadata = object_in(found.get("metadata"))
    resource = metadata.get("resourceVersion")
    if not isinstance(resource, str):
        raise no_object(place)
    if metadata.get("deletionTimestamp"):
        finalizers = shown(", ".join(map(str, list_in(metadata.get("finalizers")))), ())
        why = f"; its finalizers hold it back: {finalizers}" if finalizers else ""
        raise GoneError(
            Reason.DELETED,
            f"{place} is being deleted{why}",
            f"wait until it is gone, then rotator makes it again; what is left: {place.show()}",
        )
    mark = from_annotations(object_in(metadata.get("annotations")))
    notes = tuple(f"it {why}: the next write will fail" for why in _fixed(found, secret_type))
    version = Version(resource, _other_manager(metadata.get("managedFields"), place.key))
    return Held(text_in(found, place), mark, version, notes=notes)


def text_in(found: Body, place: Place) -> Secret | None:
    """Return the text of a place's key; None where the key is missing. Raises as `held`."""
    data, binary = found.get("data") or {}, found.get("binaryData") or {}
    if not isinstance(data, dict) or not isinstance(binary, dict):
        raise no_object(place)
    if place.key in binary and place.kind == "configmap":
        raise _no_text(place)
    text = data.get(place.key)
    if text is None:
        return None
    if not isinstance(text, str):
        raise no_object(place)
    if place.kind == "secret":
        try:
            text = base64.b64decode(text, validate=True).decode()
        except ValueError:
            raise _no_text(place) from None
    return Secret(text.removesuffix("\n"))


def stored(place: Place, value: bytes) -> str:
    """Return a value as the object's `data` holds it."""
    return base64.b64encode(value).decode() if place.kind == "secret" else value.decode()


def no_object(place: Place) -> PermanentError:
    """Return the error for an answer that is no object of this kind."""
    return PermanentError(
        Reason.MALFORMED,
        f"the server of {place} is no Kubernetes API server: its answer is no {place.kind}",
        f"check the server's address and proxies: {place.kubectl('get KIND NAME -v 6')}",
    )


def _no_text(place: Place) -> GoneError:
    """Return the error for a value such as a file that Windows has written."""
    field = "data" if place.kind == "secret" else "binaryData"
    remove = shlex.quote(json.dumps({field: {place.key: None}}, separators=(",", ":")))
    return GoneError(
        Reason.MALFORMED,
        f"{place.key} in {place} is no UTF-8 text",
        f"take it out: {place.kubectl(f'patch KIND NAME --type merge -p {remove}')}",
    )


def _fixed(found: Body, secret_type: str | None) -> Iterator[str]:
    """Yield why the object can't be changed into what it should be."""
    if found.get("immutable") is True:
        yield "is immutable"
    kind = found.get("type")
    if secret_type and kind != secret_type:
        yield (
            f"has the type {shown(str(kind or ''), ())} and not {secret_type}, and a Secret's type "
            "can't change"
        )


def _other_manager(entries: object, key: str) -> str | None:
    """Return the manager that wrote a key of `data` last; None where that is rotator or nobody.

    Where nobody has the key, somebody has taken it out: then that is who else wrote last.
    https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    """
    found = [
        (
            f"f:{key}" in object_in(object_in(one.get("fieldsV1")).get("f:data")),
            str(one.get("time") or ""),
            str(one.get("manager") or ""),
        )
        for one in map(object_in, list_in(entries))
    ]
    if any(has and name == _FIELD_MANAGER for has, _, name in found):
        return None
    # Those that have the key sort last.
    others = [one for one in found if one[2] not in ("", _FIELD_MANAGER)]
    return shown(max(others)[2], ())[:128] or None if others else None


def secrets_in(text: Secret) -> Iterator[str]:
    """Yield the secrets of a document that was sent, which a policy can decode and quote."""
    try:
        document = docker_config.decode(text.reveal())
    except DriverError:
        yield text.reveal()
        return
    values: list[object] = [document.auths, document.rest]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            values += value.values()
        elif isinstance(value, list):
            values += value
        elif isinstance(value, str):
            yield value
            with suppress(ValueError):
                login = base64.b64decode(value).decode()
                if ":" in login:
                    yield login
                    yield login.partition(":")[2]
