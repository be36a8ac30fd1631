"""Checks the target `gitlab_variable`: our access token, the variable, and what shadows it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.checks import registry
from rotator.checks.case import TIMEOUTS
from rotator.checks.gitlab_shadows import Shadows, has_key
from rotator.core.docker_config import shown
from rotator.core.errors import DriverError
from rotator.observe.words import relative
from rotator.targets.gitlab_errors import make_anew
from rotator.targets.gitlab_variable import GitlabVariableTarget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rotator.checks.case import Case
    from rotator.checks.finding import Sheet
    from rotator.config.targets import GitlabVariableTargetSettings
    from rotator.core.model import Held
    from rotator.targets.gitlab_errors import Asked

_SOON = timedelta(days=30)
_SCOPE = "api"
_MOST_NAMES = 5
_DESCRIBED = "description of its own"


def check(settings: GitlabVariableTargetSettings, case: Case, sheet: Sheet) -> None:
    """Ask GitLab about our token, read the variable, and look for others with its key."""
    target = GitlabVariableTarget(settings, settings.policy(), case.clock, TIMEOUTS)
    _token(target, case, sheet)
    held = target.read()
    asked = target.asked
    sheet.ok(f"the role of its user lets it read and write variables of {asked.owner} {asked.path}")
    _variable(settings, target, held, sheet)
    if has_key(target.api, asked.owner, asked.path, asked.key) == "several":
        sheet.warning(
            f"{asked.owner} {asked.path} has several variables {asked.key}, in different "
            "environment scopes: a job gets the one with the narrowest scope that fits",
            f"delete those that nobody needs: {_page(asked)}",
        )
    if settings.group is not None:
        _shadows(target, sheet)
    registry.published(settings, held, case, sheet)


def check_document(
    settings: GitlabVariableTargetSettings, text: str, case: Case, sheet: Sheet
) -> None:
    """Say whether GitLab would take this text as the variable's value, and mask it."""
    target = GitlabVariableTarget(settings, settings.policy(), case.clock)
    hidden = sheet.held is not None and sheet.held.withheld
    masked = settings.masked or hidden
    try:
        target.check_value(text, masked=masked)
    except DriverError as error:
        sheet.error(error)
    else:
        sheet.ok(f"GitLab can {'mask' if masked else 'take'} the value as it would be")


def _token(target: GitlabVariableTarget, case: Case, sheet: Sheet) -> None:
    token, now, todo = target.access_token(), case.clock(), make_anew(target.asked)
    typed = f"{todo}; type: cat > {target.asked.token}, paste it, Enter, Ctrl-D"
    name = f"the access token “{shown(token.name)}”"
    if _SCOPE not in token.scopes:
        scopes = ", ".join(token.scopes) or "none"
        sheet.failure(f"{name} lacks the scope {_SCOPE}; it has {scopes}", typed)
    elif token.expires_at is None:
        sheet.ok(f"{name} has the scope {_SCOPE} and never ends")
    elif token.expires_at - now < _SOON:
        sheet.warning(
            f"{name} ends {relative(token.expires_at, now)}, on {token.expires_at:%Y-%m-%d} at "
            "00:00 UTC, and then nothing is published here any more",
            typed,
        )
    else:
        sheet.ok(f"{name} has the scope {_SCOPE} and ends {relative(token.expires_at, now)}")


def _variable(
    settings: GitlabVariableTargetSettings, target: GitlabVariableTarget, held: Held, sheet: Sheet
) -> None:
    """Say what is odd about the variable as it is and as it is configured."""
    for note in held.notes:
        if settings.description is None or _DESCRIBED not in note:
            sheet.warning(note, f"change it there: {_page(target.asked)}")
    if settings.description is not None:
        sheet.warning(
            "it has a configured description and so no mark: another rotator can't tell what is in "
            "it, so it can't be shared with one",
            "leave `description` out, if several rotators write it",
        )
    if settings.protected:
        sheet.ok("protected, as configured: only jobs on protected branches and tags get it")


def _shadows(target: GitlabVariableTarget, sheet: Sheet) -> None:
    asked = target.asked
    looked = Shadows(target.api, asked).look()
    how_far = f"{looked.looked} of the {looked.known}{'+' * looked.more} sub-groups and projects"
    unsaid = f"; {looked.unseen} can't be looked into with this token" if looked.unseen else ""
    if looked.found:
        sheet.warning(
            f"{_listed(looked.found)} have a variable {asked.key} of their own, and jobs there get "
            f"that one instead (looked at {how_far}{unsaid})",
            f"delete it there ({asked.url}/PATH/-/settings/ci_cd, Variables), or add a target for "
            "it here",
        )
    elif looked.cut:
        sheet.ok(
            f"no other variable {asked.key} below the group, as far as looked: {how_far}{unsaid}; "
            "there was no time for more"
        )
    else:
        sheet.ok(f"no other variable {asked.key} below the group: looked at {how_far}{unsaid}")


def _listed(paths: Sequence[str]) -> str:
    names = ", ".join(map(shown, paths[:_MOST_NAMES]))
    more = len(paths) - _MOST_NAMES
    return f"{names} and {more} more" if more > 0 else names


def _page(asked: Asked) -> str:
    if asked.path.isdigit():
        return f"{asked.url}, {asked.owner} {asked.path}, Settings > CI/CD > Variables"
    prefix = "groups/" if asked.owner == "group" else ""
    return f"{asked.url}/{prefix}{asked.path}/-/settings/ci_cd, Variables"
