"""Publishes in a CI/CD variable of a GitLab group or project.

Facts: https://docs.gitlab.com/api/group_level_variables/,
https://docs.gitlab.com/api/project_level_variables/, https://docs.gitlab.com/ci/variables/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitlab.utils import EncodedId

from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Content, Held, Mark, Policy, Secret
from rotator.core.ports import Target
from rotator.http.server_text import shown
from rotator.system.secret_input import SecretInput
from rotator.targets.gitlab_api import CONNECT_SECONDS, READ_SECONDS, AccessToken, GitlabApi
from rotator.targets.gitlab_errors import Asked, VariableMissingError
from rotator.targets.gitlab_mark import describe, parse

if TYPE_CHECKING:
    from rotator.config.targets import GitlabVariableTargetSettings
    from rotator.core.ports import Clock

_SHORTEST_MASKED = 8
_MASKABLE = re.compile(rf"\S{{{_SHORTEST_MASKED},}}", re.ASCII)
r"""What GitLab masks where it does not expand `$`: `\A\S{8,}\z` (Ci::Maskable in its source)."""

_ENVIRONMENT_BYTES = 128 * 1024
"""Linux starts no program with a longer `KEY=value` (MAX_ARG_STRLEN, the last zero byte counts)."""


def build(
    settings: GitlabVariableTargetSettings, policy: Policy, clock: Clock
) -> GitlabVariableTarget:
    """Return the target for these settings; nothing is asked or read yet."""
    return GitlabVariableTarget(settings, policy, clock)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a write has to know of the variable that it replaces."""

    description: str
    hidden: bool


class GitlabVariableTarget(Target):
    """One variable of one group or project, in one environment scope.

    `compares` is False: GitLab has no conditional write. A read is one request, a write another.
    What people set by hand stays (protected, variable_type, and the description where it is not
    our mark) unless it is configured; `raw` and `masked` are set at each write. `asked` and `api`
    are how GitLab is asked about it.
    """

    compares = False

    def __init__(
        self,
        settings: GitlabVariableTargetSettings,
        policy: Policy,
        clock: Clock,
        timeouts: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
    ) -> None:
        super().__init__(settings.name, policy)
        self.server = settings.url
        self._settings = settings
        self._token = SecretInput(settings.token_file, settings.token_env)
        self.asked = Asked(
            url=settings.url,
            owner="project" if settings.group is None else "group",
            path=str(settings.group or settings.project),
            key=settings.key,
            scope=settings.environment_scope,
            token=str(settings.token_file or f"${settings.token_env}"),
        )
        self.api = GitlabApi(self.asked, self._token, settings.ca_file, clock, timeouts)
        # Plain addresses: python-gitlab's objects cost as much as the rest of a call.
        self._list = f"/{self.asked.owner}s/{EncodedId(self.asked.path)}/variables"
        self._path = f"{self._list}/{EncodedId(settings.key)}"
        # The scope is sent always: without it GitLab updates any one of several.
        self._filter = {"environment_scope": settings.environment_scope}

    def read(self) -> Held:
        """Return what the variable holds; one request. A hidden one withholds its value."""
        try:
            answer = self.api.call(lambda client: client.http_get(self._path, filter=self._filter))
        except VariableMissingError:
            return Held(None)
        return self._held(answer)

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Update the variable, or create it where `replacing` is nothing; one request.

        Raises `PermanentError` (invalid, too_large) before any request for a value that GitLab
        would refuse, and `ConflictError` where the variable came or went since it was read.
        """
        seen = replacing.version if isinstance(replacing.version, _Seen) else None
        value = text.reveal()
        self.check_value(value, masked=self._settings.masked or (seen is not None and seen.hidden))
        wanted = {"value": value, "raw": True, **self._attributes(mark, seen)}
        if seen is None:
            wanted |= {"key": self.asked.key, **self._filter}
            return self._held(
                self.api.call(lambda client: client.http_post(self._list, post_data=wanted))
            )
        return self._held(
            self.api.call(
                lambda client: client.http_put(self._path, post_data=wanted, filter=self._filter)
            )
        )

    def access_token(self) -> AccessToken:
        """Return what GitLab says of our own access token; one request."""
        return self.api.access_token()

    def login_stamp(self) -> str:
        """Return what changes when the access token is replaced."""
        return self._token.stamp()

    def _attributes(self, mark: Mark, seen: _Seen | None) -> dict[str, Any]:
        """Return what is sent beside the value: what is ours or configured, and nothing else."""
        attributes: dict[str, Any] = {}
        if seen is None or not seen.hidden:
            # GitLab refuses any word on masking once a variable is hidden.
            attributes["masked"] = self._settings.masked
        if self._settings.protected is not None:
            attributes["protected"] = self._settings.protected
        if self._settings.description is not None:
            attributes["description"] = self._settings.description
        elif seen is None or not seen.description or parse(seen.description):
            attributes["description"] = describe(mark)
        return attributes

    def check_value(self, value: str, *, masked: bool) -> None:
        """Raise `PermanentError` (invalid, too_large) for a value that GitLab would refuse."""
        size = len(f"{self.asked.key}={value}\0".encode())
        if size > _ENVIRONMENT_BYTES:
            raise PermanentError(
                Reason.TOO_LARGE,
                f"{self.asked}: the value needs {size} bytes in a job's environment, "
                f"where Linux allows {_ENVIRONMENT_BYTES}",
                "publish fewer registries in it (`registries:`), or mount a file into the jobs",
            )
        if masked and not _MASKABLE.fullmatch(value):
            short = len(value) < _SHORTEST_MASKED
            why = "is shorter than 8 characters" if short else "has white space in it"
            raise PermanentError(
                Reason.INVALID,
                f"{self.asked}: GitLab can't mask this value, as it {why}",
                "set `masked: false` for this target if job logs may show it, or change the login",
            )

    def _held(self, answer: Any) -> Held:
        """Return what GitLab's answer tells of the variable."""
        scope = shown(str(answer.get("environment_scope", self.asked.scope)), ())
        if scope != self.asked.scope:
            raise PermanentError(
                Reason.INVALID,
                f"{self.asked}: GitLab keeps it under scope {scope}, so jobs of every "
                "environment get it (environment scopes of groups need Premium)",
                f"set `environment_scope: '{scope}'`, or use a project's variable",
            )
        hidden = bool(answer.get("hidden"))
        description = str(answer.get("description") or "")
        value = answer.get("value")
        return Held(
            text=None if hidden or value is None else Secret(str(value)),
            mark=parse(description),
            version=_Seen(description, hidden),
            withheld=hidden or value is None,
            notes=tuple(self._notes(answer, description)),
        )

    def _notes(self, answer: dict[str, Any], description: str) -> list[str]:
        key, settings = self.asked.key, self._settings
        notes = []
        if answer.get("variable_type") == "file" and self.policy.content is Content.DOCKER_CONFIG:
            notes.append(
                f"{key} is of type File: in a script ${key} is then a path, so "
                f"`echo ${key} > ~/.docker/config.json` writes that path; make it a Variable, "
                f"or use `cp ${key} ~/.docker/config.json`"
            )
        if answer.get("protected") and not settings.protected:
            notes.append(f"{key} is protected: only jobs on protected branches and tags get it")
        if settings.masked and answer.get("masked") is False:
            notes.append(f"{key} is not masked: a job can print it; the next write masks it")
        if answer.get("raw") is False:
            notes.append(f"{key} is expanded: jobs replace `$` in it; the next write ends that")
        if description and not parse(description):
            notes.append(
                f"{key} has a description of its own and so no mark: "
                "another rotator can't tell what is in it, don't share it with one"
            )
        return notes
