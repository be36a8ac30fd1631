"""The variable that is asked about, as messages name it, and the pages that are about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gitlab.utils import EncodedId

ANY_SCOPE = "*"
INSTANCE = "instance"
_ROLES = {"group": "the role Owner", "project": "the role Maintainer", INSTANCE: "an administrator"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A variable of a group, a project or the instance (without `path`), and where its token is."""

    url: str
    owner: Literal["group", "project", "instance"]
    path: str
    key: str
    scope: str
    token: str

    @property
    def place(self) -> str:
        """Whose variable it is: `group team`, `the instance`."""
        return f"{self.owner} {self.path}" if self.path else "the instance"

    @property
    def role(self) -> str:
        """What the token's user needs to write CI/CD variables there."""
        return _ROLES[self.owner]

    @property
    def api(self) -> str:
        """The variables' address in GitLab's API."""
        if self.owner == INSTANCE:
            return "/admin/ci/variables"
        return f"/{self.owner}s/{EncodedId(self.path)}/variables"

    @property
    def tokens_page(self) -> str:
        """Where a new access token is made."""
        if self.owner == INSTANCE:
            return f"{self.url}/-/user_settings/personal_access_tokens, as an administrator"
        return self._page("access_tokens", "Access tokens")

    @property
    def variables_page(self) -> str:
        """Where a person sees the variable."""
        if self.owner == INSTANCE:
            return f"{self.url}/admin/application_settings/ci_cd, Variables"
        return self._page("ci_cd, Variables", "CI/CD > Variables")

    def _page(self, address: str, name: str) -> str:
        """Return a page of the settings: by its name where only an id is known."""
        if self.path.isdigit():
            return f"{self.url}, {self.place}, Settings > {name}"
        groups = "groups/" if self.owner == "group" else ""
        return f"{self.url}/{groups}{self.path}/-/settings/{address}"

    def __str__(self) -> str:
        scope = "" if self.scope == ANY_SCOPE else f" (scope {self.scope})"
        return f"variable {self.key}{scope} of {self.place} at {self.url}"
