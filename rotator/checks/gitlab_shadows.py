"""Looks for variables that shadow a group's: those of its sub-groups and projects win.

There can be thousands, so this stops after a number of requests and after a time, and says so.
https://docs.gitlab.com/ci/variables/#cicd-variable-precedence
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rotator.core.errors import DriverError, PermanentError, Reason, TemporaryError
from rotator.system.each import ThreadedEach
from rotator.targets.gitlab_errors import VariableMissingError

if TYPE_CHECKING:
    import gitlab

    from rotator.targets.gitlab_api import GitlabApi
    from rotator.targets.gitlab_errors import Asked

MOST_LOOKED_AT = 100
"""Sub-groups and projects, each of them one request."""

SECONDS = 2.0
_AT_ONCE = 10
_PER_PAGE = 100
_TURN_SECONDS = 2.5

Space = tuple[Literal["group", "project"], str]
"""A group or project: its kind and path."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found: the paths that have the key; how far was looked, of how many.

    `more`: there are more than are counted in `known`. `unseen`: the token may not look there.
    """

    found: tuple[str, ...]
    looked: int
    known: int
    more: bool
    unseen: int

    @property
    def cut(self) -> bool:
        """Tell whether some were not looked at."""
        return self.more or self.looked < self.known


class Shadows:
    """One look below a group."""

    def __init__(self, api: GitlabApi, asked: Asked) -> None:
        self._api = api
        self._asked = asked

    def look(self) -> Looked:
        """Ask sub-groups first and then projects, the busiest first; 2 requests and one for each.

        Raises `DriverError` where the lists can't be had.
        """
        deadline = time.monotonic() + SECONDS
        groups, projects = self._list("descendant_groups"), self._list("projects")
        spaces: list[Space] = [("group", path) for path in groups]
        spaces += [("project", path) for path in projects]
        waiting = spaces[:MOST_LOOKED_AT]
        found: list[str] = []
        looked = unseen = 0
        while waiting and time.monotonic() < deadline:
            turn, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            answers = ThreadedEach()(self._has_key, turn, _TURN_SECONDS)
            for (_, path), answer in zip(turn, answers, strict=True):
                if isinstance(answer, Exception) and not isinstance(answer, DriverError):
                    raise answer
                unseen += isinstance(answer, PermanentError)
                looked += not isinstance(answer, Exception)
                found += [path] if answer in ("one", "several") else []
            if any(isinstance(answer, TemporaryError) for answer in answers):
                break  # it is asked too much of GitLab
        more = _PER_PAGE in (len(groups), len(projects))
        return Looked(tuple(found), looked, len(spaces), more, unseen)

    def _has_key(self, space: Space) -> str:
        return has_key(self._api, *space, self._asked.key)

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
            return list(getattr(group, what).list(**asked))

        name = "path_with_namespace" if what == "projects" else "full_path"
        return [str(each.attributes.get(name, each.get_id())) for each in self._api.call(get)]


def has_key(api: GitlabApi, owner: str, path: str, key: str) -> Literal["none", "one", "several"]:
    """Return how many variables with this key a group or project has of its own; one request."""

    def get(client: gitlab.Gitlab) -> None:
        spaces = client.groups if owner == "group" else client.projects
        spaces.get(path, lazy=True).variables.get(key)

    try:
        api.call(get)
    except VariableMissingError:
        return "none"
    except PermanentError as error:
        if error.reason is Reason.CONFLICT:
            return "several"
        raise
    return "one"
