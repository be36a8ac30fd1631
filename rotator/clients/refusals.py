"""Why a program uses nothing of a whole document, whatever the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.core.docker_entry import shown
from rotator.core.docker_fields import folded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.clients.document import Document


def docker(document: Document) -> str:
    """Return why Docker's decoder fails on the document, an empty text where it does not.

    docker/cli: `LoadFromReader`.
    """
    if not document.is_object:
        return "it is no JSON object"
    if document.misfits:
        name, kind = document.misfits[0]
        return f"{shown(name)} is not {kind}"
    for key, entry in sorted(document.auths.items()):
        if not entry.fits:
            return f"the entry {shown(key)} has a field that is no string"
    return ""


def broken(document: Document) -> str:
    """Return which entry ends Docker's decoding, which goes in a random order; `decodeAuth`."""
    for key, entry in sorted(document.auths.items()):
        if entry.is_broken:
            return f"the entry {shown(key)} can't be decoded"
    return ""


def variable(document: Document) -> str:
    """Return why Docker ignores `$DOCKER_AUTH_CONFIG`; docker/cli's `parseEnvConfig`."""
    return next(_for_variable(document), "")


def _for_variable(document: Document) -> Iterator[str]:
    if document.several:
        yield "something stands after the document"
    if not document.is_object:
        yield "it is no JSON object"
    if document.others:
        yield f"the field {shown(document.others[0])} stands beside `auths`"
    if document.misfits:
        yield "its `auths` is no object of objects"
    for key, entry in sorted(document.auths.items()):
        if not entry.fits:
            yield f"the entry {shown(key)} has a field of another type"
        if entry.fields:
            yield f"the entry {shown(key)} has the field {shown(entry.fields[0])} beside `auth`"
        if not entry.auth:
            yield f"the entry {shown(key)} has no `auth`"
        if not entry.decodes:
            yield f"the `auth` of {shown(key)} can't be decoded"


def runner(document: Document) -> str:
    """Return why GitLab Runner uses nothing; its `readConfigsFromReader`.

    It decodes with Docker's code, and runs every helper that the document names.
    """
    if why := docker(document) or broken(document):
        return f"it drops the whole document: {why}"
    helpers = [*filter(None, [document.store]), *document.helpers.values()]
    for helper in helpers:
        if helper != _base_name(helper):
            return f"it refuses every image, as {shown(helper)} is no program's bare name"
    if helpers:
        names = ", ".join(sorted({f"docker-credential-{shown(helper)}" for helper in helpers}))
        return f"it drops the whole document where it can't run {names}"
    return ""


def containers(document: Document) -> str:
    """Return why skopeo, podman and buildah can't read it; containers/image's `readJSONFile`."""
    cannot = "they can't read it"
    if document.empty or document.trailing:
        return f"{cannot}: it is not just one JSON document"
    if not document.is_object:
        return f"{cannot}: it is no JSON object"
    for name, _ in document.misfits:
        if folded(name) in {"auths", "credhelpers"}:
            return f"{cannot}: {shown(name)} has another type than they expect"
    for key, entry in sorted(document.auths.items()):
        if not entry.fits_containers:
            return f"{cannot}: the entry {shown(key)} has a field of another type"
    return ""


def _base_name(name: str) -> str:
    """Go's `filepath.Base`."""
    if not name:
        return "."
    return name.rstrip("/").rpartition("/")[2] or "/"
