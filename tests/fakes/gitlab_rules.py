"""Which rules a GitLab keeps for variables, and what a job sees of them, without HTTP.

From https://docs.gitlab.com/api/group_level_variables/, https://docs.gitlab.com/ci/variables/ and
GitLab's source (Ci::Maskable, Ci::HidableVariable, API::GroupVariables).
"""

from __future__ import annotations

import re

from tests.fakes.gitlab_access import INSTANCE, AccessRules, Body, Namespace, RefusalError, Variable

MASKED_EXPANDED = re.compile(r"[a-zA-Z0-9_+=/@:.~-]{8,}")
MASKED_RAW = re.compile(r"\S{8,}", re.ASCII)
KEY = re.compile(r"[a-zA-Z0-9_]+")
LONGEST = 255
INSTANCE_VALUE = 10_000


def invalid(field_name: str, *messages: str) -> RefusalError:
    """Return what a failed validation is answered with."""
    return RefusalError(400, {"message": {field_name: list(messages)}})


class GitlabRules(AccessRules):
    """The state of one GitLab. `tier` is "premium" or "free"; `limits` are variables a kind."""

    def __init__(self) -> None:
        super().__init__()
        self.tier = "premium"
        self.version = (19, 4)
        self.limits = {"group": 30_000, "project": 8_000, "instance": 25}

    def find(self, space: Namespace, key: str, scope: str | None) -> Variable:
        """Return the variable; 409 where several have the key and no scope is asked for."""
        found = self._having(space, key, scope)
        if len(found) > 1:
            message = (
                "There are multiple variables with provided parameters. "
                "Please use 'filter[environment_scope]'"
            )
            raise RefusalError(409, {"message": message})
        if not found:
            name = {"group": "GroupVariable", "instance": "InstanceVariable"}.get(
                space.kind, "Variable"
            )
            raise RefusalError(404, {"message": f"404 {name} Not Found"})
        return found[0]

    def create(self, space: Namespace, given: Body) -> Variable:
        """Make a variable, or refuse it."""
        for name in ("key", "value"):
            if given.get(name) is None:
                raise RefusalError(400, {"error": f"{name} is missing"})
        given = self._stored(space, given)
        hidden = bool(given.pop("masked_and_hidden", False)) and self.version >= (17, 4)
        masked = hidden or bool(given.get("masked"))
        variable = Variable(**{**given, "masked": masked, "hidden": hidden})
        self._need_free(space, variable)
        if len(space.variables) >= self.limits[space.kind]:
            limit = self.limits[space.kind]
            message = f"Maximum number of {space.kind} ci variables ({limit}) exceeded"
            raise invalid("base", message)
        self._validate(space, variable)
        space.variables.append(variable)
        return variable

    def update(self, space: Namespace, key: str, scope: str | None, given: Body) -> Variable:
        """Change a variable; without a scope an arbitrary one of those that have the key."""
        anyone = self._having(space, key, None) if scope is None else []
        variable = anyone[-1] if anyone else self.find(space, key, scope)
        given = self._stored(space, given)
        given.pop("masked_and_hidden", None)
        if variable.hidden and "masked" in given:
            message = "The visibility setting cannot be changed for masked and hidden variables."
            raise invalid("base", message)
        changed = Variable(**{**vars(variable), **given, "key": variable.key})
        if variable not in self._having(space, key, changed.environment_scope):
            self._need_free(space, changed)
        self._validate(space, changed)
        vars(variable).update(vars(changed))
        return variable

    def delete(self, space: Namespace, key: str, scope: str | None) -> None:
        """Remove a variable."""
        space.variables.remove(self.find(space, key, scope))

    def _having(self, space: Namespace, key: str, scope: str | None) -> list[Variable]:
        same = [variable for variable in space.variables if variable.key == key]
        return [one for one in same if scope is None or one.environment_scope == scope]

    def _need_free(self, space: Namespace, variable: Variable) -> None:
        if self._having(space, variable.key, variable.environment_scope):
            raise invalid("key", f"({variable.key}) has already been taken")

    def _stored(self, space: Namespace, given: Body) -> Body:
        """Return the parameters that GitLab knows; Free strips the scope of a group's, silently."""
        names = {*Variable.__dataclass_fields__, "masked_and_hidden"} - {"hidden"}
        if space.kind == "instance" or (space.kind == "group" and self.tier == "free"):
            names -= {"environment_scope"}
        return {name: value for name, value in given.items() if name in names}

    def _validate(self, space: Namespace, variable: Variable) -> None:
        if not KEY.fullmatch(variable.key):
            raise invalid("key", "can contain only letters, digits and '_'.")
        for name in ("key", "description"):
            if len(getattr(variable, name) or "") > LONGEST:
                raise invalid(name, f"is too long (maximum is {LONGEST} characters)")
        maskable = MASKED_RAW if variable.raw else MASKED_EXPANDED
        if variable.masked and not maskable.fullmatch(variable.value):
            raise invalid("value", "is invalid")
        if space.kind == "instance" and len(variable.value) > INSTANCE_VALUE:
            raise invalid("value", f"is too long (maximum is {INSTANCE_VALUE} characters)")

    def effective(
        self, project_path: str, key: str, environment: str = "", *, protected_ref: bool = False
    ) -> str | None:
        """Return the value that a job of this project sees, None where it sees none.

        Project before closest group before instance; within one, the narrowest matching scope.
        The runner replaces `$X` in values that are not raw, by nothing where X is undefined.
        """
        variable = self._winner(project_path, key, environment, protected_ref=protected_ref)
        if variable is None or variable.raw:
            return variable.value if variable else None

        def replaced(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            other = self._winner(project_path, name, environment, protected_ref=protected_ref)
            return other.value if other else ""

        return re.sub(r"\$(?:(\w+)|\{(\w+)\})", replaced, variable.value)

    def _winner(
        self, project_path: str, key: str, environment: str, *, protected_ref: bool
    ) -> Variable | None:
        path = project_path
        while True:
            space = self._spaces.get(path)
            matching = [
                one
                for one in (self._having(space, key, None) if space else [])
                if _covers(one.environment_scope, environment)
                and (protected_ref or not one.protected)
            ]
            if matching:
                return max(matching, key=lambda one: len(one.environment_scope.replace("*", "")))
            if path == INSTANCE:
                return None
            path = path.rpartition("/")[0]


def _covers(scope: str, environment: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in scope.split("*"))
    return re.fullmatch(pattern, environment) is not None
