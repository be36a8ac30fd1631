"""Who may do what in the GitLab fake: groups, projects, roles and access tokens.

From https://docs.gitlab.com/api/personal_access_tokens/, https://docs.gitlab.com/user/permissions/
and GitLab's source (API::APIGuard).
"""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

GUEST, DEVELOPER, MAINTAINER, OWNER = 10, 30, 40, 50
INSTANCE = ""
"""The path of the instance's own variables."""

ROTATED_LIFE = timedelta(days=7)
NEW_LIFE = timedelta(days=365)

Body = dict[str, Any]


class RefusalError(Exception):
    """An answer other than success: its status and body."""

    def __init__(self, status: int, body: Body) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


@dataclass
class Variable:
    """One CI/CD variable."""

    key: str
    value: str
    variable_type: str = "env_var"
    protected: bool = False
    masked: bool = False
    hidden: bool = False
    raw: bool = False
    environment_scope: str = "*"
    description: str | None = None

    def shown(self) -> Body:
        """Return the variable as the API shows it: a hidden one without its value."""
        return {**vars(self), "value": None if self.hidden else self.value}


@dataclass
class Namespace:
    """A group or project (or the instance, with the empty path) and its variables."""

    id: int
    path: str
    kind: str
    variables: list[Variable] = field(default_factory=list)

    def shown(self) -> Body:
        """Return the group or project as lists show it."""
        name = self.path.rpartition("/")[2]
        word = "full_path" if self.kind == "group" else "path_with_namespace"
        return {"id": self.id, "name": name, "path": name, word: self.path}


@dataclass
class Token:
    """An access token, with its user's roles by path; a rotated one keeps its `family`."""

    id: int
    text: str
    scopes: tuple[str, ...]
    expires_at: date | None
    roles: dict[str, int]
    family: int
    admin: bool = False
    revoked: bool = False
    granular: dict[str, frozenset[str]] | None = None
    """A fine-grained token's permissions by place: a path, or `user`. None: a classic token."""
    bot: str = ""
    """`group_ID` or `project_ID`, where the token is an access token of that place."""
    created_at: str = ""

    def expired(self, today: date) -> bool:
        """Tell whether its last midnight has passed."""
        return self.expires_at is not None and self.expires_at <= today

    def shown(self, today: date) -> Body:
        """Return the token as the API shows it, without its text."""
        return {
            "id": self.id,
            "name": f"token {self.id}",
            "revoked": self.revoked,
            "scopes": list(self.scopes),
            "active": not self.revoked and not self.expired(today),
            "created_at": self.created_at,
            "expires_at": self.expires_at and self.expires_at.isoformat(),
            **self._granular_scopes(),
        }

    def _granular_scopes(self) -> Body:
        if self.granular is None:
            return {}
        grants = [
            {"access": "selected_memberships", "permissions": sorted(names)}
            for names in self.granular.values()
        ]
        return {"granular_scopes": grants}


class AccessRules:
    """Groups, projects, tokens, and what each token may open."""

    def __init__(self) -> None:
        self.today = datetime.now(UTC).date()
        self._ids = itertools.count(100)
        self._spaces = {INSTANCE: Namespace(0, INSTANCE, "instance")}
        self._tokens: list[Token] = []
        self.closed: dict[str, str] = {}
        """Why GitLab lets nobody in, by place (the empty path: everywhere): its own sentence."""

    def add_group(self, path: str) -> Namespace:
        """Make a group, and the groups above it that are not there yet."""
        above = path.rpartition("/")[0]
        if above and above not in self._spaces:
            self.add_group(above)
        return self._add(path, "group")

    def add_project(self, path: str) -> Namespace:
        """Make a project, and the groups above it."""
        above = path.rpartition("/")[0]
        if above not in self._spaces:
            self.add_group(above)
        return self._add(path, "project")

    def add_token(
        self,
        roles: dict[str, int],
        scopes: tuple[str, ...] = ("api",),
        expires_at: date | None = None,
        *,
        admin: bool = False,
        granular: dict[str, frozenset[str]] | None = None,
        bot: str = "",
    ) -> Token:
        """Make an access token for a user with these roles; it lives a year unless it is given.

        `granular` makes it a fine-grained one.
        """
        number = next(self._ids)
        end = expires_at or self.today + NEW_LIFE
        text = f"s3cr3t-glpat-{secrets.token_hex(8)}"
        scopes = scopes if granular is None else ("granular",)
        token = Token(number, text, scopes, end, dict(roles), number, admin, granular=granular)
        token.bot, token.created_at = bot, f"{self.today}T08:00:00.000Z"
        self._tokens.append(token)
        return self._tokens[-1]

    def token(self, text: str) -> Token:
        """Return the access token that this text is."""
        return next(token for token in self._tokens if token.text == text)

    def space(self, path: str) -> Namespace:
        """Return the group or project at this path."""
        return self._spaces[path]

    def below(self, group: Namespace, kind: str, *, direct: bool) -> list[Namespace]:
        """Return the groups or projects in a group."""
        inside = [
            space
            for space in self._spaces.values()
            if space.kind == kind and space.path.startswith(f"{group.path}/")
        ]
        depth = group.path.count("/") + 1
        return [space for space in inside if not direct or space.path.count("/") == depth]

    def authenticate(self, text: str | None) -> Token:
        """Return the token that this text is, or refuse it with 401."""
        token = next((token for token in self._tokens if token.text == text), None)
        if token is None:
            raise RefusalError(401, {"message": "401 Unauthorized"})
        if token.revoked or token.expired(self.today):
            why = (
                "Token was revoked. You have to re-authorize from the user."
                if token.revoked
                else "Token is expired. You can either do re-authorization or token refresh."
            )
            raise RefusalError(401, {"error": "invalid_token", "error_description": why})
        return token

    def open(self, token: Token, kind: str, name: str, *, to_variables: bool = False) -> Namespace:
        """Return a group, project or the instance by path or id, if the token may have it."""
        self.need_open(name)
        if kind == "instance":
            if not token.admin:
                raise RefusalError(403, {"message": "403 Forbidden"})
            return self._spaces[INSTANCE]
        space = next((s for s in self._spaces.values() if name in (s.path, str(s.id))), None)
        role = max(
            (r for path, r in token.roles.items() if space and _within(space.path, path)), default=0
        )
        if space is None or space.kind != kind or not role:
            raise RefusalError(404, {"message": f"404 {kind.title()} Not Found"})
        if to_variables and role < (OWNER if kind == "group" else MAINTAINER):
            raise RefusalError(403, {"message": "403 Forbidden"})
        return space

    def need_permission(self, token: Token, permission: str, path: str) -> None:
        """Refuse a fine-grained token that was not granted this at the place or above it."""
        if token.granular is None:
            return
        granted = {
            name
            for place, names in token.granular.items()
            if place == path or (place and _within(path, place))
            for name in names
        }
        if permission not in granted:
            action, _, resource = permission.partition("_")
            title = {"variable": "CI/CD Variable"}.get(resource, resource.title())
            message = (
                "Access denied: This operation requires a fine-grained personal access token with "
                f"the following permissions: [{title}: {action.title()}]."
            )
            body = {"error": "insufficient_granular_scope", "error_description": message}
            raise RefusalError(403, body)

    def need_open(self, path: str) -> None:
        """Refuse, in GitLab's own sentence, what is closed to everybody: see `closed`."""
        for place, sentence in self.closed.items():
            if _within(path, place) or not place:
                raise RefusalError(403, {"message": f"403 Forbidden - {sentence}"})

    def need_scope(self, token: Token, *scopes: str) -> None:
        """Refuse a token that has none of these scopes; a fine-grained one has permissions."""
        if token.granular is not None:
            return
        if not set(scopes) & set(token.scopes):
            words = "The request requires higher privileges than provided by the access token."
            body = {"error": "insufficient_scope", "error_description": words, "scope": "api"}
            raise RefusalError(403, body)

    def rotate(self, text: str | None, expires_at: date | None) -> Body:
        """Replace a token; one that is dead already takes its whole family with it."""
        known = next((token for token in self._tokens if token.text == text), None)
        if known is not None and known.revoked:
            for token in self._tokens:
                token.revoked = token.revoked or token.family == known.family
        token = self.authenticate(text)
        self.need_scope(token, "api", "self_rotate")
        self.need_permission(token, "rotate_personal_access_token", "user")
        token.revoked = True
        end = expires_at or self.today + ROTATED_LIFE
        new = self.add_token(
            token.roles, token.scopes, end, admin=token.admin, granular=token.granular,
            bot=token.bot,
        )  # fmt: skip
        new.family = token.family
        return {**new.shown(self.today), "token": new.text}

    def _add(self, path: str, kind: str) -> Namespace:
        return self._spaces.setdefault(path, Namespace(next(self._ids), path, kind))


def _within(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}/")
