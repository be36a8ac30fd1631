"""Looks for variables of somebody else that beat what rotator publishes.

https://docs.gitlab.com/ci/variables/#cicd-variable-precedence

Docker ≥ 28.3 and GitLab Runner take a login from `$DOCKER_AUTH_CONFIG` where that has one for the
registry, dead or not, and from the file only for the others. GitLab puts the variable of a project,
of each group above it and of the instance into every job.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from rotator.config.targets import GitlabVariableTargetSettings
from rotator.core.docker_entry import shown
from rotator.core.errors import DriverError, PermanentError, Reason, TemporaryError
from rotator.gitlab.asked import INSTANCE, Asked
from rotator.gitlab.errors import VariableMissingError
from rotator.inspection import LONGEST, Case, Finding, Found, ok, warning
from rotator.observe.times import few
from rotator.system.each import ThreadedEach

if TYPE_CHECKING:
    from collections.abc import Iterator

    import gitlab

    from rotator.config.target_common import TargetSettings
    from rotator.gitlab.api import GitlabApi

KEY = "DOCKER_AUTH_CONFIG"
WINS = "Docker 28.3 or newer and GitLab Runner take its logins before those that rotator publishes"
MOST_ASKED = 100  # sub-groups and projects, each of them one request
_MOST_NAMES = 5
_SECONDS, _TURN_SECONDS = 2.0, 2.5
_AT_ONCE, _PER_PAGE = 10, 100


def overruling(api: GitlabApi, case: Case) -> Iterator[Found]:
    """Ask GitLab for such a variable at a target's group or project, above it, and the instance."""
    if not any(map(_is_beaten, configured(case))):
        return
    ours = {
        (target.owner, target.owner_path)
        for target in configured(case)
        if isinstance(target, GitlabVariableTargetSettings)
        and target.url == api.asked.url
        and target.key == KEY
        and target.enabled
    }
    found, unknown = [], []
    for owner, path in _above(api.asked):
        if (owner, path) in ours:
            continue
        name = f"{owner} {shown(path)}" if path else "the instance"
        try:
            if has_key(api, owner, path, KEY) != "none":
                found.append(name)
        except DriverError:
            unknown.append(name)
    if found:
        yield warning(
            f"{' and '.join(found)} has a variable {KEY} that no target here writes: {WINS}",
            f"delete it there, or add a target for it here; a job that means the file: unset {KEY}",
        )
    elif unknown:
        yield ok(
            f"no variable {KEY} overrules the file, but this token can't read the variables of "
            f"{' and '.join(unknown)}"
        )
    else:
        yield ok(f"no variable {KEY} of another overrules what is published")


def configured(case: Case) -> list[TargetSettings]:
    """Return the targets of the whole configuration: one token can look for all of them."""
    return [target for each in case.configured or [case.rotation] for target in each.targets]


def _is_beaten(target: TargetSettings) -> bool:
    """Tell whether a job reads what this target publishes after the variable."""
    is_variable = isinstance(target, GitlabVariableTargetSettings) and target.key == KEY
    return target.enabled and not is_variable


def _above(asked: Asked) -> Iterator[tuple[str, str]]:
    """Give the place itself, the groups above it, and the instance."""
    yield asked.owner, asked.path
    path = "" if asked.path.isdigit() else asked.path
    while path := path.rpartition("/")[0]:
        yield "group", path
    if asked.owner != "instance":
        yield "instance", ""


def shadows(api: GitlabApi) -> Finding:
    """Look for variables that shadow a group's: those of its sub-groups and projects win.

    There can be thousands, so this asks sub-groups first and then the busiest projects, and stops
    after a number of requests and after a time. Raises `DriverError` where the lists can't be had.
    """
    groups, projects = _below(api, "descendant_groups"), _below(api, "projects")
    deadline, key = time.monotonic() + _SECONDS, api.asked.key
    spaces = [("group", path) for path in groups] + [("project", path) for path in projects]
    waiting, found = spaces[:MOST_ASKED], []
    counted = hidden = 0
    while waiting and time.monotonic() < deadline:
        turn, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
        each = ThreadedEach(longest=LONGEST)
        answers = each(lambda space: has_key(api, *space, key), turn, _TURN_SECONDS)
        for (_, path), answer in zip(turn, answers, strict=True):
            if isinstance(answer, Exception) and not isinstance(answer, DriverError):
                raise answer
            hidden += isinstance(answer, PermanentError)
            counted += not isinstance(answer, Exception)
            found += [shown(path)] if answer in ("one", "several") else []
        if any(isinstance(answer, TemporaryError) for answer in answers):
            break  # it is asked too much of GitLab
    more = _PER_PAGE in (len(groups), len(projects))
    how_far = f"{counted} of the {len(spaces)}{'+' * more} sub-groups and projects"
    how_far += f"; {hidden} can't be read with this token" if hidden else ""
    if found:
        return warning(
            f"{few(found, _MOST_NAMES)} have a variable {key} of their own, and jobs there get "
            f"that one instead (asked {how_far})",
            f"delete it there ({api.asked.url}/PATH/-/settings/ci_cd, Variables), or add a target "
            "for it here",
        )
    none = f"no other variable {key} below the group"
    if more or counted < len(spaces):
        return ok(f"{none}, as far as asked: {how_far}; there was no time for more")
    return ok(f"{none}: asked {how_far}")


def _below(api: GitlabApi, what: Literal["descendant_groups", "projects"]) -> list[str]:
    """Return the paths on the first page of what is below the group."""
    asked: dict[str, Any] = {"per_page": _PER_PAGE, "page": 1, "get_all": False}
    name = "full_path"
    if what == "projects":
        asked |= {"include_subgroups": True, "archived": False, "simple": True}
        asked |= {"order_by": "last_activity_at"}
        name = "path_with_namespace"
    group = api.asked.path
    listed = api.call(
        lambda client: list(getattr(client.groups.get(group, lazy=True), what).list(**asked))
    )
    return [str(each.attributes.get(name, each.get_id())) for each in listed]


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
