"""Looks for variables that shadow a group's: those of its sub-groups and projects win.

There can be thousands, so this stops after a number of requests and after a time, and says so.
https://docs.gitlab.com/ci/variables/#cicd-variable-precedence
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rotator.core.errors import DriverError, PermanentError, Reason, TemporaryError
from rotator.gitlab.asked import INSTANCE
from rotator.gitlab.errors import VariableMissingError
from rotator.system.each import ThreadedEach

if TYPE_CHECKING:
    import gitlab

    from rotator.gitlab.api import GitlabApi
    from rotator.gitlab.asked import Asked

MOST_ASKED = 100
"""Sub-groups and projects, each of them one request."""

SECONDS = 2.0
_AT_ONCE = 10
_PER_PAGE = 100
_TURN_SECONDS = 2.5

Space = tuple[Literal["group", "project", "instance"], str]
"""A group, a project or the instance: its kind, and its path or id (empty for the instance)."""


@dataclass(frozen=True, slots=True)
class Below:
    """What was found: the paths that have the key; how far was counted, of how many.

    `more`: there are more than are counted in `known`. `hidden`: the token may not look there.
    """

    found: tuple[str, ...]
    counted: int
    known: int
    more: bool
    hidden: int

    @property
    def cut(self) -> bool:
        """Tell whether some were not counted at."""
        return self.more or self.counted < self.known


class Shadows:
    """One look below a group."""

    def __init__(self, api: GitlabApi, asked: Asked) -> None:
        self._api = api
        self._asked = asked

    def look(self) -> Below:
        """Ask sub-groups first and then projects, the busiest first; 2 requests and one for each.

        Raises `DriverError` where the lists can't be had.
        """
        deadline = time.monotonic() + SECONDS
        groups, projects = self._list("descendant_groups"), self._list("projects")
        spaces: list[Space] = [("group", path) for path in groups]
        spaces += [("project", path) for path in projects]
        waiting = spaces[:MOST_ASKED]
        found: list[str] = []
        counted = hidden = 0

        def has_our_key(space: Space) -> str:
            return has_key(self._api, *space, self._asked.key)

        while waiting and time.monotonic() < deadline:
            turn, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            answers = ThreadedEach()(has_our_key, turn, _TURN_SECONDS)
            for (_, path), answer in zip(turn, answers, strict=True):
                if isinstance(answer, Exception) and not isinstance(answer, DriverError):
                    raise answer
                hidden += isinstance(answer, PermanentError)
                counted += not isinstance(answer, Exception)
                found += [path] if answer in ("one", "several") else []
            if any(isinstance(answer, TemporaryError) for answer in answers):
                break  # it is asked too much of GitLab
        more = _PER_PAGE in (len(groups), len(projects))
        return Below(tuple(found), counted, len(spaces), more, hidden)

    def _list(self, what: Literal["descendant_groups", "projects"]) -> list[str]:
        """Return the paths on the first page of what is below the group."""
        asked: dict[str, Any] = {"per_page": _PER_PAGE, "page": 1, "get_all": False}
        if what == "projects":
            asked |= {
                "include_subgroups": True,
                "archived": False,
                "simple": True,
                "order_by": "last_activity_at",
            }

        def get(client: gitlab.Gitlab) -> list[Any]:
            group = client.groups.get(self._asked.path, lazy=True)
            below = group.projects if what == "projects" else group.descendant_groups
            return list(below.list(**asked))

        name = "path_with_namespace" if what == "projects" else "full_path"
        return [str(each.attributes.get(name, each.get_id())) for each in self._api.call(get)]


def has_key(api: GitlabApi, owner: str, path: str, key: str) -> Literal["none", "one", "several"]:
    """Return how many variables with this key a group or project has of its own; one request."""
    try:
        api.call(lambda client: _variables(client, owner, path).get(key))
    except VariableMissingError:
        return "none"
    except PermanentError as error:
        if error.reason is Reason.CONFLICT:
            return "several"
        raise
    return "one"


def _variables(client: gitlab.Gitlab, owner: str, path: str) -> Any:
    if owner == INSTANCE:
        return client.variables
    owners: Any = client.groups if owner == "group" else client.projects
    return owners.get(path, lazy=True).variables
