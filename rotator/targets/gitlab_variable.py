"""Publishes in a CI/CD variable of a GitLab group, project or whole instance.

Facts: https://docs.gitlab.com/api/group_level_variables/,
https://docs.gitlab.com/api/project_level_variables/, https://docs.gitlab.com/ci/variables/
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitlab.utils import EncodedId

from rotator.clients.judge import judge
from rotator.clients.lookups import Consumer
from rotator.core.docker_entry import shown as shown_key
from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Content, Held, Mark, Policy, Secret
from rotator.core.ports import Clock, Target
from rotator.gitlab.api import TIMEOUTS, GitlabApi
from rotator.gitlab.asked import INSTANCE, Asked
from rotator.gitlab.errors import VariableMissingError
from rotator.gitlab.mark import describe, parse
from rotator.gitlab.own_token import AccessToken, read_token, shared
from rotator.http.reading import json_in, object_in
from rotator.http.server_text import shown
from rotator.system.secret_input import SecretInput

if TYPE_CHECKING:
    from rotator.config.targets import GitlabVariableTargetSettings

_SHORTEST_MASKED = 8
# What GitLab masks where it does not expand `$` (Ci::Maskable in its source).
_MASKABLE = re.compile(rf"\S{{{_SHORTEST_MASKED},}}", re.ASCII)
_INSTANCE_CHARACTERS = 10_000  # in an instance's variable (Ci::InstanceVariable there)
# Linux starts no program with a longer `KEY=value` (MAX_ARG_STRLEN, the last zero byte counts).
_ENVIRONMENT_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class _Found:
    """What a write has to know of the variable that it replaces."""

    description: str
    hidden: bool


class GitlabVariableTarget(Target):
    """One variable of one group, project or instance, in one environment scope.

    `compares` is False: GitLab has no conditional write. A read is one request, a write another.
    People's own settings stay (protected, variable_type, and the description where it is not our
    mark) unless they are configured; `raw` and `masked` are set at each write. `settings`, `asked`
    and `api` are how GitLab is asked about it.
    """

    compares = False

    def __init__(
        self,
        settings: GitlabVariableTargetSettings,
        policy: Policy,
        clock: Clock,
        timeouts: tuple[float, float] = TIMEOUTS,
    ) -> None:
        super().__init__(settings.name, policy)
        self.server = settings.url
        self.settings = settings
        self._token = SecretInput(settings.token_file, settings.token_env)
        self.asked = Asked(
            url=settings.url,
            owner=settings.owner,
            path=settings.owner_path,
            key=settings.key,
            scope=settings.environment_scope,
            token=str(settings.token_file or f"${settings.token_env}"),
        )
        self.api = GitlabApi(self.asked, self._token, settings.ca_file, clock, timeouts)
        self._own_token = (
            shared(self.api, settings.token_file, settings.rotate_before, clock)
            if settings.rotate_before is not None and settings.token_file is not None
            else None
        )
        # Plain addresses: to have the manager of a group's variables, python-gitlab makes the group
        # with its other 39 managers. That takes 0.3 ms of a call's 1.2 ms, or 16 KiB a target.
        self._path = f"{self.asked.api}/{EncodedId(settings.key)}"
        # The scope is sent always: without it GitLab updates any one of several. An instance's
        # variables have none.
        scope = {"environment_scope": settings.environment_scope}
        self._scope: dict[str, str] = {} if self.asked.owner == INSTANCE else scope
        self._filter: dict[str, Any] = {"filter": self._scope} if self._scope else {}

    def read(self) -> Held:
        """Return what the variable holds; one request. A hidden one withholds its value."""
        renewed = self._own_token.renew_if_due() if self._own_token else ""
        notes = (renewed,) if renewed else ()
        try:
            answer = self.api.call(lambda client: client.http_get(self._path, **self._filter))
        except VariableMissingError:
            return Held(None, notes=notes)
        return self._held(answer, notes)

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Update the variable, or create it where `replacing` is nothing; one request."""
        found = replacing.version if isinstance(replacing.version, _Found) else None
        value = text.reveal()
        self.check_value(value, masked=self.settings.masked or (found is not None and found.hidden))
        wanted = {"value": value, "raw": True, **self._attributes(mark, found)}
        if found is None:
            wanted |= {"key": self.asked.key, **self._scope}
            if self.settings.masked_and_hidden:
                wanted["masked_and_hidden"] = True  # older than 17.4: not known, and only masked
            return self._held(
                self.api.call(lambda client: client.http_post(self.asked.api, post_data=wanted))
            )
        put = {"post_data": wanted, **self._filter}
        return self._held(self.api.call(lambda client: client.http_put(self._path, **put)))

    def access_token(self) -> AccessToken:
        """Return what GitLab says of our own access token; one request."""
        return read_token(self.api)

    def login_stamp(self) -> str:
        """Return what changes when the access token is replaced."""
        return self._token.stamp()

    def _attributes(self, mark: Mark, found: _Found | None) -> dict[str, Any]:
        """Return what is sent beside the value: what is ours or configured, and nothing else."""
        attributes: dict[str, Any] = {}
        if found is None or not found.hidden:
            # GitLab refuses any word on masking once a variable is hidden.
            attributes["masked"] = self.settings.masked
        if self.settings.protected is not None:
            attributes["protected"] = self.settings.protected
        if self.settings.description is not None:
            attributes["description"] = self.settings.description
        elif found is None or not found.description or parse(found.description):
            attributes["description"] = describe(mark)
        return attributes

    def check_value(self, value: str, *, masked: bool) -> None:
        """Raise `PermanentError` (invalid, too_large) for a value that GitLab would refuse."""
        size, too_large = len(f"{self.asked.key}={value}\0".encode()), ""
        if size > _ENVIRONMENT_BYTES:
            too_large = (
                f"needs {size} bytes in a job's environment, where Linux allows "
                f"{_ENVIRONMENT_BYTES}"
            )
        elif self.asked.owner == INSTANCE and len(value) > _INSTANCE_CHARACTERS:
            too_large = (
                f"has {len(value)} characters, and GitLab allows {_INSTANCE_CHARACTERS:,} in an "
                "instance's variable"
            )
        if too_large:
            raise PermanentError(
                Reason.TOO_LARGE,
                f"{self.asked}: the value {too_large}",
                "publish fewer registries in it (`registries:`), or mount a file into the jobs",
            )
        if masked and not _MASKABLE.fullmatch(value):
            short = len(value) < _SHORTEST_MASKED
            why = "is shorter than 8 characters" if short else "has white space in it"
            raise PermanentError(
                Reason.INVALID,
                f"{self.asked}: GitLab can't mask this value, as it {why}",
                self._how_to_mask(value),
            )

    def _how_to_mask(self, value: str) -> str:
        """Return what to change so that the value can be masked: a document is never shown."""
        if self.policy.content is Content.USERNAME:
            return "set `masked: false` for this target, if job logs may show the user name"
        if self.policy.content is Content.PASSWORD:
            return "give this registry a password of at least 8 characters without blanks"
        found = _parts_with_blanks(value)
        return f"take {found} out of the document where it is made: no job needs it to log in"

    def _held(self, answer: Any, notes: tuple[str, ...] = ()) -> Held:
        """Return what GitLab's answer tells of the variable."""
        scope = shown(str(answer.get("environment_scope") or self.asked.scope), ())
        if scope != self.asked.scope:
            raise PermanentError(
                Reason.INVALID,
                f"{self.asked}: GitLab keeps it under scope {scope}, so jobs of every "
                "environment get it (environment scopes of groups need Premium)",
                f"set `environment_scope: '{scope}'`, or use a project's variable",
            )
        hidden = bool(answer.get("hidden"))
        description = str(answer.get("description") or "")
        own = self.settings.description is not None or bool(description and not parse(description))
        self.marks = not own
        value = answer.get("value")
        return Held(
            text=None if hidden or value is None else Secret(str(value)),
            mark=parse(description),
            version=_Found(description, hidden),
            withheld=hidden or value is None,
            notes=(*notes, *self._notes(answer, description)),
        )

    def _notes(self, answer: dict[str, Any], description: str) -> list[str]:
        key, settings = self.asked.key, self.settings
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
            notes.append(f"{key} is not masked, so a job can print it; rotator's write masks it")
        if answer.get("raw") is False:
            notes.append(f"{key} is expanded, so jobs replace `$` in it; rotator's write ends that")
        if settings.masked_and_hidden and not answer.get("hidden"):
            notes.append(
                f"{key} is visible, and GitLab hides a variable only when it is made (17.4 or "
                "newer): delete it there, and rotator makes it again, hidden"
            )
        if self.policy.content is Content.DOCKER_CONFIG and isinstance(answer.get("value"), str):
            # What makes Docker ignore the variable, though other programs take it.
            docker = Consumer.DOCKER_VARIABLE
            notes += [
                f"{key}: {each.what}; to do: {each.todo}"
                for each in judge(answer["value"], [docker]).problems
                if each.consumers == (docker,)
            ]
        if description and not parse(description):
            notes.append(
                f"{key} has a description of its own and so no mark: "
                "another rotator can't tell what is in it, don't share it with one"
            )
        return notes


build = GitlabVariableTarget
"""Returns the target for these settings; nothing is asked or read yet."""


def _parts_with_blanks(value: str) -> str:
    """Return the names of what holds the blanks in a document, as `jq` would find them."""
    document = object_in(json_in(value))
    parts = {**document, **object_in(document.get("auths"))}
    names = [
        shown_key(name)
        for name, part in parts.items()
        if name != "auths" and re.search(r"\s", name + json.dumps(part, separators=(",", ":")))
    ]
    return " and ".join(f"`{name}`" for name in names) or "the white space"
