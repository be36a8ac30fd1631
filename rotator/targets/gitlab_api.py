"""One GitLab, as one access token sees it: calls through python-gitlab, refusals as our errors.

python-gitlab's own exceptions lose the answer's headers, and `Retry-After` with them; its rate
limit handling sleeps inside the call. So a session of ours judges each answer before it does.

Facts: https://docs.gitlab.com/api/rest/, https://docs.gitlab.com/api/personal_access_tokens/
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, TypeVar

import gitlab
import requests
from requests.adapters import HTTPAdapter

from rotator.core.errors import PermanentError, Reason
from rotator.targets.gitlab_errors import Asked, RefusedError, answered, unanswered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rotator.core.ports import Clock
    from rotator.system.secret_input import SecretInput

Got = TypeVar("Got")

CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What GitLab says of the access token that `rotator` itself uses.

    `expires_at` is the midnight (UTC) at which it ends, None where it never does; variables need
    `api` among its `scopes`; `active` is False once it is revoked or has expired.
    """

    name: str
    expires_at: datetime | None
    scopes: tuple[str, ...]
    active: bool


class GitlabApi:
    """Makes calls to one GitLab. The token is read anew for each; connections are kept."""

    def __init__(
        self,
        asked: Asked,
        token: SecretInput,
        ca_file: Path | None,
        clock: Clock,
        timeouts: tuple[float, float],
    ) -> None:
        self._asked = asked
        self._token = token
        self._ca_file = str(ca_file) if ca_file else None
        self._clock = clock
        self._timeouts = timeouts

    def call(self, do: Callable[[gitlab.Gitlab], Got]) -> Got:
        """Return what `do` gets from GitLab.

        Raises the `DriverError` that `gitlab_errors` has for the answer or its absence.
        """
        client = gitlab.Gitlab(
            self._asked.url,
            private_token=self._readable_token(),
            ssl_verify=self._ca_file or True,
            session=_session(self._timeouts),
        )
        try:
            return do(client)
        except RefusedError as refused:
            raise answered(refused.response, self._asked, self._clock()) from None
        except OSError as error:  # requests' exceptions are among them
            raise unanswered(error, self._asked, self._ca_file) from error

    def access_token(self) -> AccessToken:
        """Return what GitLab says of the token in use; one call. Raises as `call`."""
        answer = self.call(lambda client: client.personal_access_tokens.get("self")).attributes
        end = answer.get("expires_at")
        return AccessToken(
            name=str(answer.get("name", "")),
            expires_at=end and datetime.combine(date.fromisoformat(end), datetime.min.time(), UTC),
            scopes=tuple(answer.get("scopes", ())),
            active=bool(answer.get("active", True)),
        )

    def _readable_token(self) -> str:
        token = self._token.read().reveal()
        if not (token.isascii() and token.isprintable()) or " " in token:
            # requests would quote it in its own error
            raise PermanentError(
                Reason.MALFORMED,
                f"the access token in {self._asked.token} is not one line of plain characters",
                f"write the token alone into {self._asked.token}, as GitLab showed it (glpat-…)",
            )
        return token


class _Session(requests.Session):
    """Sends requests for python-gitlab, and raises `RefusedError` for all but a JSON object.

    Redirects are not followed: requests would take the `PRIVATE-TOKEN` header to any host. No
    cookie is kept, as what one token is given must not go out with another.
    """

    def __init__(self, timeouts: tuple[float, float]) -> None:
        super().__init__()
        self._timeouts = timeouts
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.mount("https://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
        self.mount("http://", HTTPAdapter(pool_maxsize=_CONNECTIONS))

    def request(self, *args: Any, **options: Any) -> requests.Response:
        options |= {"timeout": self._timeouts, "allow_redirects": False}
        response = super().request(*args, **options)
        if not response.ok or not _is_object(response):
            raise RefusedError(response)
        return response


@functools.cache
def _session(timeouts: tuple[float, float]) -> _Session:
    """Return the process's one session, so that a thousand targets share connections.

    Each target is built alone and none can know the others, hence one for all; requests keeps its
    connections apart by server and certificates. It holds no token.
    """
    return _Session(timeouts)


def _is_object(response: requests.Response) -> bool:
    if "json" not in response.headers.get("Content-Type", ""):
        return False
    try:
        return isinstance(response.json(), dict)
    except (json.JSONDecodeError, requests.JSONDecodeError):
        return False
