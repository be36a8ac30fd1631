"""The requests about one object: get, create and patch, for real or as a dry run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

from rotator.kubernetes.connection import RefusedError
from rotator.kubernetes.errors import ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rotator.kubernetes.connection import Connection
    from rotator.kubernetes.place import Place

Body = dict[str, Any]

FIELD_MANAGER = "rotator"
MERGE = "application/merge-patch+json"


class NoDryRunError(Exception):
    """An admission webhook can't be asked in advance: it says that it does more than answer."""


class Objects:
    """The requests about a place's object. Each raises what `ask` raises.

    `hidden`: what was sent and may not appear in an error. `dry`: the server changes nothing, and
    `NoDryRunError` is raised where an admission webhook does not support that.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def get(self) -> Body | None:
        """Return the object; None where there is none."""
        return ask(self._place, "get", self._get)

    def create(self, body: Body, hidden: Iterable[str] = (), *, dry: bool = False) -> Body:
        """Make the object."""
        return self._change("create", "POST", self._path(), body, hidden, dry)

    def patch(self, changes: Body, hidden: Iterable[str] = (), *, dry: bool = False) -> Body:
        """Change the object."""
        path = self._path(self._place.object_name)
        return self._change("patch", "PATCH", path, changes, hidden, dry)

    def _get(self, connection: Connection) -> Body | None:
        try:
            return connection.send("GET", self._path(self._place.object_name))
        except RefusedError as error:
            if _is_missing(error):
                return None
            raise

    def _change(
        self,
        verb: str,
        method: str,
        path: str,
        body: Body,
        hidden: Iterable[str],
        dry: bool,  # noqa: FBT001  passed on as it came
    ) -> Body:
        query: Mapping[str, str] = {"dryRun": "All"} if dry else {}
        kind = MERGE if method == "PATCH" else "application/json"

        def request(connection: Connection) -> Body:
            try:
                return connection.send(
                    method, path, body, kind=kind, fieldManager=FIELD_MANAGER, **query
                )
            except RefusedError as error:
                if dry and "does not support dry run" in str(error.body.get("message")):
                    raise NoDryRunError from None
                raise

        return ask(self._place, verb, request, hidden)

    def _path(self, name: str = "") -> str:
        parts = ("api", "v1", "namespaces", self._place.namespace, self._place.plural, name)
        return "".join(f"/{quote(part, safe='')}" for part in parts if part)


def _is_missing(error: RefusedError) -> bool:
    """Return whether an API server, and not a proxy before it, says that there is no object."""
    details = error.body.get("details")
    kind = details.get("kind") if isinstance(details, dict) else None
    reason = error.body.get("reason")
    return error.status == requests.codes.not_found and reason == "NotFound" and bool(kind)
