"""What GitLab says of the access token that rotator itself uses.

https://docs.gitlab.com/api/personal_access_tokens/,
https://docs.gitlab.com/auth/tokens/fine_grained_access_tokens/
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotator.gitlab.api import GitlabApi

API = "api"
GRANULAR = "granular"
PERMISSIONS = {
    "create_variable": "CI/CD Variable: Create",
    "read_variable": "CI/CD Variable: Read",
    "update_variable": "CI/CD Variable: Update",
}
"""What a fine-grained token needs, as the API and as GitLab's pages name it."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """One access token, without its text.

    `expires_at` is the midnight (UTC) at which it ends, None where it never does. A classic token
    needs `api` among its `scopes`; a fine-grained one has `permissions` in its place. `active` is
    False once it is revoked or has expired.
    """

    name: str
    created_at: datetime | None
    expires_at: datetime | None
    scopes: tuple[str, ...]
    permissions: frozenset[str]
    active: bool

    @property
    def is_fine_grained(self) -> bool:
        """Tell whether permissions count; a classic token may list `granular` beside `api`."""
        return API not in self.scopes and GRANULAR in self.scopes

    @property
    def missing(self) -> list[str]:
        """The permissions that a fine-grained token lacks everywhere, as GitLab names them."""
        return [title for name, title in PERMISSIONS.items() if name not in self.permissions]


def read(api: GitlabApi) -> AccessToken:
    """Return what GitLab says of the token in use; one call. Raises as `GitlabApi.call`."""
    return parse(api.call(lambda client: client.personal_access_tokens.get("self").attributes))


def parse(answer: Any) -> AccessToken:
    """Return the token that GitLab's answer describes; a field that it leaves out is not known."""
    scopes, granular = answer.get("scopes"), answer.get("granular_scopes")
    return AccessToken(
        name=str(answer.get("name", "")),
        created_at=_time(answer.get("created_at")),
        expires_at=_midnight(answer.get("expires_at")),
        scopes=tuple(map(str, scopes)) if isinstance(scopes, list) else (),
        permissions=frozenset(
            str(name)
            for grant in (granular if isinstance(granular, list) else [])
            if isinstance(grant, dict) and isinstance(grant.get("permissions"), list)
            for name in grant["permissions"]
        ),
        active=bool(answer.get("active", True)),
    )


def _midnight(day: object) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(str(day)), datetime.min.time(), UTC)
    except ValueError:
        return None


def _time(text: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time.replace(tzinfo=time.tzinfo or UTC)
