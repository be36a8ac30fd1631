"""Rotator's own access token: what GitLab says of it, and its renewal (`rotate_before`).

It is renewed by self-rotation. The old token is dead once GitLab answers, and a second try with a
dead token revokes every token that came from it. So a rotation is noted on the disk first, its
answer is put there at once, and where the answer was lost the old token is tried, not rotated.

https://docs.gitlab.com/api/personal_access_tokens/#rotate-a-personal-access-token,
https://docs.gitlab.com/auth/tokens/fine_grained_access_tokens/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from rotator.core.errors import DriverError, LoginRejectedError, Reason
from rotator.gitlab import token_file
from rotator.gitlab.errors import new_token
from rotator.http.reading import list_in, object_in, time_in
from rotator.system.missing import is_missing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import gitlab
    from gitlab.mixins import RotateMixin

    from rotator.core.ports import Clock
    from rotator.gitlab.api import GitlabApi
    from rotator.gitlab.token_file import TokenFile

API = "api"
_PERMISSIONS = {
    "create_variable": "CI/CD Variable: Create",
    "read_variable": "CI/CD Variable: Read",
    "update_variable": "CI/CD Variable: Update",
}
"""What a fine-grained token needs, as the API and as GitLab's pages name it."""
LONGEST_LIFE = timedelta(days=365)
# How long a lost answer, or a refusal, is left alone: GitLab may still be at work on the call.
AGAIN = timedelta(hours=1)
# What GitLab says before it does anything; any other failure may come after it has rotated.
_CLEAR = (
    Reason.FORBIDDEN, Reason.INVALID, Reason.NOT_FOUND, Reason.LOGIN_REJECTED, Reason.THROTTLED
)  # fmt: skip

_BOT = re.compile(r"(group|project)_(\d+)_bot")


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What GitLab says of one access token; a field that it leaves out is not known.

    `expires_at` is the midnight (UTC) at which it ends, None where it never does. A classic token
    needs `api` among its `scopes`; a fine-grained one has `permissions` in its place.
    """

    name: str
    created_at: datetime | None
    expires_at: datetime | None
    scopes: tuple[str, ...]
    permissions: frozenset[str]

    @property
    def is_fine_grained(self) -> bool:
        """Tell whether permissions count; a classic token may list `granular` beside `api`."""
        return API not in self.scopes and "granular" in self.scopes

    @property
    def missing(self) -> list[str]:
        """The permissions that a fine-grained token lacks everywhere, as GitLab names them."""
        return [title for name, title in _PERMISSIONS.items() if name not in self.permissions]


def read_token(api: GitlabApi) -> AccessToken:
    """Return what GitLab says of the token in use; one call. Raises as `GitlabApi.call`."""
    answer = api.call(lambda client: client.personal_access_tokens.get("self").attributes)
    grants = map(object_in, list_in(answer.get("granular_scopes")))
    return AccessToken(
        str(answer.get("name", "")),
        time_in(answer.get("created_at")),
        time_in(answer.get("expires_at")),
        tuple(map(str, list_in(answer.get("scopes")))),
        frozenset(str(name) for grant in grants for name in list_in(grant.get("permissions"))),
    )


_LOCK = Lock()
_SHARED: dict[tuple[object, ...], OwnToken] = {}


def shared(api: GitlabApi, path: Path, before: timedelta, clock: Clock) -> OwnToken:
    """Return the process's one for this file, so that a thousand targets ask about it once."""
    key = (api.asked.url, path, before, api.ca_file, clock)
    return _SHARED.setdefault(key, OwnToken(api, path, before, clock))


class OwnToken:
    """The access token in one file, which any number of targets use."""

    def __init__(self, api: GitlabApi, path: Path, rotate_before: timedelta, clock: Clock) -> None:
        self._api = api
        self._path = path
        self._before = rotate_before
        self._clock = clock
        self._token: tuple[object, AccessToken] | None = None
        self._not_before = datetime.min.replace(tzinfo=UTC)

    def renew_if_due(self) -> str:
        """Rotate the token where it ends soon; return what a person should know, or nothing.

        One request where the file has changed, none while nothing is due. Raises
        `LoginRejectedError` where a rotation's answer was lost and the old token is dead.
        """
        with _LOCK:  # several targets may use one file
            now = self._clock()
            if now < self._not_before:
                return ""
            try:
                return self._renew(now)
            except (token_file.BusyError, OSError):
                return ""  # another process rotates it; reading an unreadable file says so
            except LoginRejectedError:
                raise
            except (token_file.CannotReplaceError, DriverError) as error:
                self._not_before = now + AGAIN
                return f"rotator's own access token was not renewed: {error}"

    def _renew(self, now: datetime) -> str:
        if not is_missing(self._beside):
            return self._recover(now)
        token = self._read()
        if token.expires_at is None or token.expires_at - now > self._before:
            return ""
        with token_file.replacing(self._path) as place:
            if self._stamp() != (self._token or (None,))[0]:
                return ""  # another process has just replaced it
            return self._rotate(place, token, now)

    def _rotate(self, place: TokenFile, token: AccessToken, now: datetime) -> str:
        # The new one lives as long as the old one did, which GitLab allowed.
        life = LONGEST_LIFE
        if token.created_at and token.expires_at:
            life = token.expires_at - token.created_at
        end = (now + min(max(life, 2 * self._before), LONGEST_LIFE)).date()
        tokens = self._tokens()
        place.begin()
        try:
            answer = self._api.call(
                lambda client: tokens(client).rotate("self", expires_at=end.isoformat())
            )
        except DriverError as error:
            if error.reason in _CLEAR:
                place.forget()  # GitLab's answer is clear: nothing was rotated
            raise
        text = answer.get("token")
        if not (isinstance(text, str) and re.fullmatch(r"[!-~]+", text)):
            raise self._lost("GitLab rotated the access token and gave no new one")
        try:
            place.take(text)
        except OSError as error:
            raise self._lost(f"the new access token can't be written: {error.strerror}") from error
        self._token = None
        return f"rotator's own access token was renewed; the new one ends on {end}"

    def _recover(self, now: datetime) -> str:
        """Finish, or take back, what a process began that has ended since."""
        with token_file.replacing(self._path) as place:
            if left := place.left():
                place.take(left)
                self._token = None
                return "a new access token that an earlier run left beside its file is in place"
            if not place.has_begun():
                place.forget()
                return ""
            try:
                self._token = None
                self._read()
            except LoginRejectedError as error:
                raise self._lost(
                    "a rotation of the access token began, its answer was lost, and the old token "
                    "is dead"
                ) from error
            begun = datetime.fromtimestamp(self._beside.stat().st_mtime, UTC)
            if now - begun < AGAIN:
                self._not_before = begun + AGAIN
                return "a rotation of rotator's own access token was interrupted; the old one works"
            place.forget()
            return ""

    def _read(self) -> AccessToken:
        stamp = self._stamp()
        if self._token is None or self._token[0] != stamp:
            self._token = (stamp, read_token(self._api))
        return self._token[1]

    def _tokens(self) -> Callable[[gitlab.Gitlab], RotateMixin[Any]]:
        """Return where a token of this kind is rotated: a group's or project's has its own."""
        try:
            # The library's `auth()` asks this too, and writes warnings of its own about addresses.
            user: Any = self._api.call(lambda client: client.http_get("/user"))
            bot = _BOT.match(str(user.get("username", "")))
        except DriverError:
            bot = None  # a fine-grained token may not read its user, and belongs to a person
        if bot is None:
            return lambda client: client.personal_access_tokens
        if bot[1] == "group":
            return lambda client: client.groups.get(bot[2], lazy=True).access_tokens
        return lambda client: client.projects.get(bot[2], lazy=True).access_tokens

    @property
    def _beside(self) -> Path:
        return self._path.with_name(f".{self._path.name}.new")

    def _lost(self, what: str) -> LoginRejectedError:
        hint = f"{new_token(self._api.asked)}; then: rm -f {self._beside}"
        return LoginRejectedError(f"{self._api.asked}: {what} ({self._path})", hint)

    def _stamp(self) -> object:
        status = self._path.stat()
        return (status.st_ino, status.st_size, status.st_mtime_ns)
