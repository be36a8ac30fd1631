"""One configured target that stands for an object in each of many namespaces."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NoReturn

from rotator.core.ports import Target
from rotator.http.reading import object_in
from rotator.kubernetes.connection import Connection, NoObjectError, RefusedError
from rotator.kubernetes.errors import ask
from rotator.kubernetes.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rotator.config.kubernetes_targets import KubernetesTargetSettings
    from rotator.core.model import Policy
    from rotator.kubernetes.access import Access

# Names and deletion times are all that is wanted of a namespace.
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_PAGE = "250"
_GONE = 410


class KubernetesGroup(Target):
    """Its members are the targets of the namespaces that fit now; it is never read or written."""

    is_group = True

    def __init__(
        self,
        settings: KubernetesTargetSettings,
        policy: Policy,
        access: Access,
        member: Callable[[str, bool], Target],
    ) -> None:
        super().__init__(settings.target_name, policy)
        names = settings.namespaces or ()
        self.server = str(access)
        self.place = Place("namespace", "", "", "", access)
        self._names = [one for one in names if "*" not in one]
        self._patterns = [one for one in names if "*" in one]
        self._selector = settings.namespace_selector
        self._make = member
        self._members: dict[str, Target] = {}

    @property
    def lists(self) -> bool:
        """Whether the server has to be asked for its namespaces."""
        return bool(self._patterns) or self._selector is not None

    def members(self) -> Sequence[Target]:
        """Return a target for each namespace that fits; one that stays is the same target.

        A namespace that is named is a member whether it exists or not, so that a missing one is
        reported. A namespace that is being deleted is no member, as no pod starts there. Raises
        what a read raises (forbidden: the verb `list` on namespaces).
        """
        names = dict.fromkeys(self._names)
        if self.lists:
            names |= dict.fromkeys(ask(self.place, "list", self._fitting))
        self._members = {
            name: self._members.get(name) or self._make(name, name not in self._names)
            for name in sorted(names)
        }
        return list(self._members.values())

    def read(self) -> NoReturn:
        """Fail: only members can be read."""
        raise NotImplementedError

    def write(self, *_: object) -> NoReturn:
        """Fail: only members can be written."""
        raise NotImplementedError

    def _fitting(self, connection: Connection) -> list[str]:
        try:
            return self._listed(connection)
        except RefusedError as error:
            if error.status != _GONE:
                raise
            return self._listed(connection)  # a page was asked for too late: the list has changed

    def _listed(self, connection: Connection) -> list[str]:
        query = {"limit": _PAGE}
        if self._selector:
            query["labelSelector"] = ",".join(f"{k}={v}" for k, v in self._selector.items())
        found: list[str] = []
        while True:
            page = connection.send("GET", "/api/v1/namespaces", accept=_NAMES_ONLY, **query)
            # A page on which nothing fits has `"items": null`, and there may be another one.
            items = page["items"] or [] if "items" in page else None
            if not isinstance(items, list):
                raise NoObjectError
            living = [name for one in items if (name := _living(one))]
            found += [
                name
                for name in living
                if self._selector is not None
                or any(fnmatchcase(name, one) for one in self._patterns)
            ]
            following = object_in(page.get("metadata")).get("continue")
            if not following or following == query.get("continue"):
                return found
            query["continue"] = str(following)


def _living(namespace: Any) -> str | None:
    """Return a namespace's name unless it is being deleted."""
    metadata = object_in(object_in(namespace).get("metadata"))
    name = metadata.get("name")
    return name if isinstance(name, str) and not metadata.get("deletionTimestamp") else None
