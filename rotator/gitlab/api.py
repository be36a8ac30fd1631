"""One GitLab, as one access token sees it: calls through python-gitlab, refusals as our errors.

Its managers make the calls, but for a target's own variable (see `targets.gitlab_variable`). Its
exceptions lose the answer's headers, and `Retry-After` with them; its rate limit handling sleeps
inside the call. So a session of ours judges each answer before it does.

Facts: https://docs.gitlab.com/api/rest/, https://docs.gitlab.com/api/personal_access_tokens/
"""

from __future__ import annotations

import functools
from threading import Semaphore
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import gitlab
import requests
from gitlab.utils import get_content_type

from rotator.core.errors import PermanentError, Reason, TemporaryError
from rotator.gitlab.errors import RefusedError, no_answer, refused, unreadable
from rotator.http.reading import json_in
from rotator.http.session import BoundedAdapter
from rotator.system.each import AT_ONCE, note_answer, others_first
from rotator.system.input_file import refuse_special

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rotator.core.ports import Clock
    from rotator.gitlab.asked import Asked
    from rotator.system.secret_input import SecretInput

Got = TypeVar("Got")

TIMEOUTS = (5.0, 15.0)  # seconds to connect, and for each wait for an answer
_TURN_SECONDS = 60.0
_CLIENTS = 8  # an access token that was replaced is soon forgotten
_SUCCESS = range(200, 300)


class GitlabApi:
    """Makes calls to one GitLab. The token is read again for each; connections stay open."""

    def __init__(
        self,
        asked: Asked,
        token: SecretInput,
        ca_file: Path | None,
        clock: Clock,
        timeouts: tuple[float, float],
    ) -> None:
        self.asked = asked
        self.ca_file = str(ca_file) if ca_file else None
        self._token, self._clock, self._timeouts = token, clock, timeouts

    def call(self, do: Callable[[gitlab.Gitlab], Got]) -> Got:
        """Return what `do` gets from GitLab, which has 16 calls at once. Raises `DriverError`."""
        token = self._readable_token()  # before its turn: the file may be on a mount that hangs
        turns = _turns(self.asked.url)
        if not others_first(lambda seconds: turns.acquire(timeout=seconds), _TURN_SECONDS):
            raise TemporaryError(
                Reason.TIMEOUT,
                f"{self.asked}: not asked, as {AT_ONCE} calls at once took up GitLab for "
                f"{_TURN_SECONDS:g} s",
                "nothing to do if it passes; else see how fast GitLab answers",
            )
        try:
            refuse_special(self.ca_file)
            return do(_client(self.asked.url, token, self.ca_file or True, self._timeouts))
        except RefusedError as error:
            raise refused(error.response, self.asked, self._clock()) from None
        except OSError as error:  # requests' exceptions are among them
            raise no_answer(error, self.asked, self.ca_file) from None
        except gitlab.GitlabParsingError:
            raise unreadable(self.asked) from None
        finally:
            turns.release()

    def _readable_token(self) -> str:
        token = self._token.read().reveal()
        if not (token.isascii() and token.isprintable()) or " " in token:
            # requests would quote it in its own error
            raise PermanentError(
                Reason.MALFORMED,
                f"the access token in {self.asked.token} is not one line of plain characters",
                f"write the token alone into {self.asked.token}, as GitLab showed it (glpat-…)",
            )
        return token


class _Session(requests.Session):
    """Sends requests for python-gitlab, and raises `RefusedError` for an answer of another kind.

    An answer has to be a JSON object, or a list where pages were asked for.

    A request needs nothing else that a session does: it has its own headers, and redirects are not
    followed (`requests` would take the `PRIVATE-TOKEN` header to any host), no cookie is sent (what
    one token is given must not go out with another), and ~/.netrc is not read.
    """

    def __init__(self, timeouts: tuple[float, float]) -> None:
        super().__init__()
        self._timeouts = timeouts
        self._environments: dict[tuple[object, ...], Any] = {}
        for scheme in ("https://", "http://"):
            self.mount(scheme, BoundedAdapter(2 * timeouts[1], pool_maxsize=AT_ONCE))

    def request(self, method: Any, url: Any, *_: Any, **options: Any) -> requests.Response:
        """Send one request, with no more work than it takes: there may be thousands."""
        parts = {name: options[name] for name in ("headers", "data", "params", "auth", "json")}
        request = requests.Request(method.upper(), url, **parts).prepare()
        request.headers["Accept"] = "application/json"
        response = self.get_adapter(url).send(
            request, timeout=self._timeouts, **self._environment(url, options["verify"])
        )
        note_answer()
        wanted = list if "per_page" in (options["params"] or {}) else dict
        # As python-gitlab has it, which else gives the whole answer instead of what is in it.
        is_json = get_content_type(response.headers.get("Content-Type")) == "application/json"
        document = json_in(response.content) if is_json else None
        if response.status_code not in _SUCCESS or not isinstance(document, wanted):
            raise RefusedError(response)
        return response

    def _environment(self, url: str, verify: bool | str) -> Any:  # noqa: FBT001  requests' word
        """Return what the environment says of a server (proxies, trust), asked once for each."""
        key = (*urlsplit(url)[:2], verify)
        if key not in self._environments:
            self._environments[key] = self.merge_environment_settings(url, {}, None, verify, None)
        return self._environments[key]


@functools.lru_cache(_CLIENTS)
def _client(
    url: str,
    token: str,
    verify: bool | str,  # noqa: FBT001  python-gitlab's word
    timeouts: tuple[float, float],
) -> gitlab.Gitlab:
    """Return the client of all targets with this login: it makes 42 managers, and has no state."""
    return gitlab.Gitlab(url, token, ssl_verify=verify, session=_session(timeouts))


@functools.cache
def _session(timeouts: tuple[float, float]) -> _Session:
    """Return the one session of all targets, so that a thousand share connections."""
    return _Session(timeouts)


@functools.cache
def _turns(url: str) -> Semaphore:  # noqa: ARG001  one for each server
    return Semaphore(AT_ONCE)
