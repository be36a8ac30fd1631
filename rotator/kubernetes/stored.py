"""What a stored ConfigMap or Secret holds, and how a text is stored in it."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core.mark import from_annotations
from rotator.core.model import Held, Secret
from rotator.http.reading import json_in
from rotator.http.server_text import shown
from rotator.kubernetes.managers import owner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.kubernetes.objects import Body
    from rotator.kubernetes.place import Place


class Version(Struct, frozen=True):
    """The object's `resourceVersion`, and who wrote the key last if that was not rotator."""

    resource: str
    manager: str | None = None


def held(found: Body, place: Place, secret_type: str | None) -> Held:
    """Return what an object holds; `secret_type`: what a Secret's type should be.

    Raises `PermanentError` (malformed) where it is no object, `GoneError` where it is being deleted
    or its value is no text.
    """
    metadata = found.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("resourceVersion"), str):
        raise place.no_object()
    if metadata.get("deletionTimestamp"):
        finalizers = metadata.get("finalizers")
        listed = finalizers if isinstance(finalizers, list) else ()
        raise place.being_deleted(shown(", ".join(map(str, listed)), ()))
    annotations = metadata.get("annotations")
    mark = from_annotations(annotations if isinstance(annotations, dict) else {})
    notes = tuple(f"it {why}: the next write will fail" for why in _fixed(found, secret_type))
    version = Version(metadata["resourceVersion"], owner(metadata.get("managedFields"), place.key))
    return Held(text_in(found, place), mark, version, notes=notes)


def text_in(found: Body, place: Place) -> Secret | None:
    """Return the text of a place's key; None where the key is missing. Raises as `held`."""
    data, binary = found.get("data") or {}, found.get("binaryData") or {}
    if not isinstance(data, dict) or not isinstance(binary, dict):
        raise place.no_object()
    if place.key in binary and place.kind == "configmap":
        raise place.not_text()
    text = data.get(place.key)
    if text is None:
        return None
    if not isinstance(text, str):
        raise place.no_object()
    if place.kind == "secret":
        try:
            text = base64.b64decode(text, validate=True).decode()
        except ValueError:
            raise place.not_text() from None
    return Secret(text.removesuffix("\n"))


def stored(place: Place, value: bytes) -> str:
    """Return a value as the object's `data` holds it."""
    return base64.b64encode(value).decode() if place.kind == "secret" else value.decode()


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


def secrets_in(text: Secret) -> Iterator[str]:
    """Yield the secrets of a document that was sent: a policy can decode and quote it.

    Its keys are none, as registries are among them. Any other text is one as a whole.
    """
    document = json_in(text.reveal())
    if not isinstance(document, dict):
        yield text.reveal()
        return
    values: list[object] = [document]
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
