"""What `check` says of a GitLab variable: as it is, and as it would be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.far_away import FarAway
from tests.unit.checks.described import bad, levels, login_file, look, rotation, the
from tests.unit.targets.inspect_gitlab_variable.rig import GROUP, Rig


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"variable_type": "file"}, "is of type File"),
        ({"protected": True}, "only jobs on protected branches"),
        ({"masked": False}, "is not masked"),
        ({"raw": False}, "is expanded"),
        ({"description": "ours, hands off"}, "description of its own"),
    ],
    ids=["file", "protected", "not masked", "expanded", "described"],
)
def test_variable_is_odd(rig: Rig, fields: dict[str, Any], words: str) -> None:
    """What people set by hand and jobs feel is a warning with the page to change it on."""
    rig.put(**fields)
    found = the(rig.look(), "warning", words)
    assert f"/groups/{GROUP}/-/settings/ci_cd" in found.todo


def test_configured_description(rig: Rig) -> None:
    """A configured description is said to prevent sharing, once."""
    rig.put(description="by the platform team")
    rig.settings["description"] = "by the platform team"
    found = rig.look()
    assert len(bad(found)) == 1
    assert "leave `description` out" in the(found, "warning", "configured description").todo


def test_hidden_and_protected_as_configured(rig: Rig) -> None:
    """What is as configured, or can't be helped, is no warning."""
    rig.put(hidden=True, protected=True)
    rig.settings["protected"] = True
    found = rig.look()
    the(found, "ok", "hides its value")
    the(found, "ok", "protected, as configured")
    assert not bad(found)


def test_several_scopes(rig: Rig) -> None:
    """The same key in several scopes of one group: a job gets another one than expected."""
    rig.put()
    rig.put(environment_scope="production")
    the(rig.look(), "warning", "in different environment scopes")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"content": "username", "masked": True}, "shorter than 8"),
        ({"content": "password"}, "GitLab can mask"),
        ({"content": "username"}, "GitLab can take"),
    ],
    ids=["short user name", "password", "unmasked"],
)
def test_masking(rig: Rig, settings: dict[str, Any], words: str) -> None:
    """GitLab's rules are tried on the value as it would be."""
    rig.settings |= {"registry": "harbor.example.com", **settings}
    reported = levels(rig.look())
    assert [one for one in reported if words in one], reported


def test_masking_of_somebody_elses_spaces(rig: Rig) -> None:
    """What stays of the document counts: a foreign key with a space in it can't be masked."""
    rig.put(json.dumps({"HttpHeaders": {"X-Team": "two words"}}), masked=False)
    the(rig.look(), "failure", "has white space in it")


def test_too_large_for_an_environment(rig: Rig) -> None:
    """A document that no job could be started with is a failure before it is written."""
    rig.put(json.dumps({"auths": {}, "x": "y" * 140_000}))
    the(rig.look(), "failure", "bytes in a job's environment")


def test_many_variables_of_one_gitlab(rig: Rig) -> None:
    """They wait for their turn, and their time counts from then: none is said to have no answer."""
    port = int(rig.server.url.rpartition(":")[2])
    with FarAway(port, 0.1) as far:
        settings = {**rig.settings, "url": f"http://127.0.0.1:{far.port}"}
        many = [{**settings, "name": f"v{n}", "key": f"KEY_{n}"} for n in range(100)]
        found = look(rig.place, rotation([login_file(rig.place)], many))
    assert not [one for one in bad(found) if "no answer" in one or "not asked" in one]
