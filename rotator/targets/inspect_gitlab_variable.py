"""Checks the target `gitlab_variable`: our access token, the variable, and what beats it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.core.docker_entry import shown
from rotator.core.errors import DriverError
from rotator.gitlab import token_file
from rotator.gitlab.errors import GranularError, new_token
from rotator.gitlab.overruling import has_key, overruling, shadows
from rotator.gitlab.own_token import API, AccessToken
from rotator.inspection import Case, Finding, Found, failed, failure, ok, warning
from rotator.observe.times import relative
from rotator.targets.gitlab_variable import GitlabVariableTarget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rotator.config.targets import GitlabVariableTargetSettings
    from rotator.core.model import Held

_SOON = timedelta(days=30)
_DESCRIBED = "description of its own"


def inspect(settings: GitlabVariableTargetSettings, case: Case) -> Iterator[Found]:
    """Ask GitLab about our token, read the variable, and look for others with its key."""
    target = GitlabVariableTarget(settings, settings.policy(), case.clock)
    yield from _token(target, case)
    held = target.read()
    asked = target.asked
    yield ok(f"it may read the variables of {asked.place}")
    yield from _variable(settings, target, held)
    mine = asked.owner, asked.path, asked.key
    if settings.owner != "instance" and has_key(target.api, *mine) == "several":
        yield warning(
            f"{asked.place} has several variables {asked.key}, in different "
            "environment scopes: a job gets the one with the narrowest scope that fits",
            f"delete those that nobody needs: {asked.variables_page}",
        )
    if settings.group is not None:
        try:
            yield shadows(target.api)
        except GranularError as error:
            yield ok(f"variables {asked.key} below the group can't be listed: {error}")
    yield from overruling(target.api, case)
    yield held


def check_document(
    settings: GitlabVariableTargetSettings, text: str, held: Held, case: Case
) -> Finding:
    """Say whether GitLab would take this text as the variable's value, and mask it."""
    target = GitlabVariableTarget(settings, settings.policy(), case.clock)
    masked = settings.masked or held.withheld
    try:
        target.check_value(text, masked=masked)
    except DriverError as error:
        return failed(error)
    return ok(f"GitLab can {'mask' if masked else 'take'} the value as it would be")


def _token(target: GitlabVariableTarget, case: Case) -> Iterator[Found]:
    """Say what our access token may do, and how long."""
    settings = target.settings
    if settings.rotate_before is not None and settings.token_file is not None:
        yield from _own_rotation(settings.token_file)
    try:
        token = target.access_token()
    except GranularError as error:
        yield ok(
            f"the access token is a fine-grained one that may not read itself, so its end is not "
            f"known here ({error})"
        )
        return
    name = f"the access token “{shown(token.name)}”"
    if token.is_fine_grained:
        what = "is a fine-grained one"
        if missing := token.missing:
            yield failure(
                f"{name} {what}, and lacks {', '.join(missing)}",
                f"grant that for {target.asked.place} with a new token "
                f"(deploy/policies/gitlab-token.sh), and write it to {target.asked.token}",
            )
            return
    elif API in token.scopes:
        what = f"has the scope {API}"
    else:
        scopes = ", ".join(token.scopes) or "none"
        yield failure(f"{name} lacks the scope {API}; it has {scopes}", _typed(target))
        return
    yield from _end(f"{name} {what}", token, target, case)


def _end(
    what: str, token: AccessToken, target: GitlabVariableTarget, case: Case
) -> Iterator[Found]:
    end, now, before = token.expires_at, case.clock(), target.settings.rotate_before
    if end is None:
        yield ok(f"{what} and never ends")
    elif before is not None and end - now > timedelta(0):
        yield ok(
            f"{what} and ends {relative(end, now)}; rotator renews it {before.days} days before"
        )
    elif end - now < _SOON:
        yield warning(
            f"{what} and ends {relative(end, now)}, on {end:%Y-%m-%d} at 00:00 UTC, and then "
            "nothing is published here any more",
            _typed(target),
        )
    else:
        yield ok(f"{what} and ends {relative(end, now)}")


def _own_rotation(path: Path) -> Iterator[Found]:
    """Say whether rotator could put a new access token in the old one's place."""
    try:
        token_file.check(path)
    except token_file.CannotReplaceError as error:
        yield failure(
            f"`rotate_before` can't work: {error}",
            "keep the token in a plain file in a directory that rotator may write, or take "
            "`rotate_before` out",
        )
    else:
        yield ok(
            f"`rotate_before`: rotator may replace {path}; no other host may use this token, as "
            "the old one dies at once"
        )


def _typed(target: GitlabVariableTarget) -> str:
    token = target.asked.token
    return f"{new_token(target.asked)}; type: cat > {token}, paste it, Enter, Ctrl-D"


def _variable(
    settings: GitlabVariableTargetSettings, target: GitlabVariableTarget, held: Held
) -> Iterator[Found]:
    """Say what is odd about the variable as it is and as it is configured."""
    for note in held.notes:
        if settings.description is None or _DESCRIBED not in note:
            yield warning(note, f"change it there: {target.asked.variables_page}")
    if settings.description is not None:
        yield warning(
            "it has a configured description and so no mark: another rotator can't tell what is in "
            "it, so it can't be shared with one",
            "leave `description` out, if several rotators write it",
        )
    if settings.protected:
        yield ok("protected, as configured: only jobs on protected branches and tags get it")
