"""What only several findings together tell: lives and jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rotator.checks.across import RotationChecks, compare
from rotator.core.model import Credential, Held, Secret
from rotator.core.record import KnownCredential, Record
from rotator.inspection import Findings
from tests.support import NOW
from tests.unit.checks.described import HARBOR, bad, case, file_target, login_file, rotation, the

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.inspection import Finding


def login(life: timedelta | None) -> Credential:
    """Return a credential that was made now."""
    return Credential(HARBOR, "robot", Secret("s3cr3t-x"), NOW, NOW + life if life else None)


def compared(
    settings: dict[str, Any],
    *credentials: Credential,
    record: Record | None = None,
    held: Held | None = None,
) -> list[Finding]:
    """Return what is found about one source and one target."""
    one = case(settings, record)
    source = Findings("login", credentials=credentials)
    target = Findings("the file", held=held)
    sources, targets = [(one.rotation.sources[0], source)], [(one.rotation.targets[0], target)]
    compare([RotationChecks(one, Findings("journal"), sources, targets)])
    return [*source.all, *target.all]


@pytest.mark.parametrize(
    ("life", "job", "more", "fails"),
    [
        (timedelta(hours=1), "1h", {}, True),
        (timedelta(hours=1), "50m", {}, False),
        (timedelta(hours=1), "2h", {"follows": True}, False),
        (timedelta(hours=1), "2h", {"enabled": False}, False),
        (timedelta(hours=1), "2h", {"registries": ["other.example.com"]}, False),
        (None, "48h", {}, False),
    ],
    ids=["too long", "short enough", "follows", "paused", "elsewhere", "endless"],
)
def test_job_outlives_a_credential(
    tmp_path: Path, life: timedelta | None, job: str, more: dict[str, Any], *, fails: bool
) -> None:
    """A job may be as long as what is left of a life at the latest renewal."""
    settings = rotation([login_file(tmp_path)], [file_target(tmp_path, **more)], longest_job=job)
    found = compared(settings, login(life))
    assert bool(bad(found)) is fails
    if fails:
        assert "set `longest_job` to 54m or less" in the(found, "failure", "can outlive it").todo


@pytest.mark.parametrize(
    ("seconds", "todo"),
    [
        (59, "set `longest_job` to 53s or less, let the credential live longer"),
        (2, "set `longest_job` to 1s or less, let the credential live longer"),
        (1, "let the credential live longer"),
    ],
)
def test_a_short_life(tmp_path: Path, seconds: int, todo: str) -> None:
    """What is advised is what the configuration takes, also where that is less than a minute."""
    settings = rotation([login_file(tmp_path)], [file_target(tmp_path)])
    found = compared(settings, login(timedelta(seconds=seconds)))
    assert the(found, "failure", "can outlive it").todo.startswith(todo)


def test_life_from_the_journal(tmp_path: Path) -> None:
    """Where nothing may be fetched, the journal tells how long the last one lived."""
    known = KnownCredential("hmac:0", "login", NOW, NOW + timedelta(minutes=30), None)
    settings = rotation([login_file(tmp_path)], [file_target(tmp_path)])
    found = compared(settings, record=Record(credentials={HARBOR: (known,)}))
    the(found, "failure", "lives 30 m")


def test_lease_that_ends_before_the_job(tmp_path: Path) -> None:
    """A replaced lease has to live as long as jobs that have its credential."""
    vault = {
        "type": "vault",
        "address": "http://127.0.0.1:1",
        "auth": {"method": "token", "token_env": "NOBODY"},
        "path": "rabbitmq/creds/ci",
        "registry": HARBOR,
        "revoke_after": "10m",
    }
    found = compared(rotation([vault], [file_target(tmp_path)]))
    assert "leave `revoke_after` out" in the(found, "warning", "can lose its credential").todo


def variable(**more: Any) -> dict[str, Any]:
    """Return a group's variable as the configuration has it."""
    where = {"type": "gitlab_variable", "url": "https://gitlab.example.com", "group": "team"}
    return {**where, "name": "the variable", "token_env": "NOBODY", **more}


@pytest.mark.parametrize(
    ("more", "held", "words"),
    [
        ({}, Held(None), "GitLab can mask the value"),
        ({}, Held(Secret('{"auths":{"a":{"auth":"dTpzM2NyM3Qt"}}}')), "GitLab can mask the value"),
        ({"merge": "replace"}, Held(Secret("{")), "GitLab can mask the value"),
        ({}, Held(Secret("{")), ""),
        ({}, None, ""),
        ({"registries": ["other.example.com"]}, Held(None), ""),
        ({"content": "password", "registry": HARBOR}, Held(None), "GitLab can mask the value"),
        ({"content": "username", "registry": HARBOR, "masked": True}, Held(None), "can't mask"),
        ({"content": "username", "registry": HARBOR}, Held(None), "GitLab can take the value"),
    ],
    ids=[
        "empty",
        "merged",
        "replaced",
        "broken",
        "not read",
        "none of it",
        "password",
        "masked",
        "user",
    ],
)
def test_a_variable_as_it_would_be(
    tmp_path: Path, more: dict[str, Any], held: Held | None, words: str
) -> None:
    """Its value is tried against GitLab's rules, where enough is known of it."""
    found = compared(rotation([login_file(tmp_path)], [variable(**more)]), login(None), held=held)
    said = [one.found for one in found if "GitLab" in one.found or "mask" in one.found]
    assert ([words in one for one in said] or [False]) == [bool(words)]


@pytest.mark.parametrize(
    ("of_file", "of_variable", "both"),
    [
        ({}, {}, True),
        ({"registries": ["other.example.com"]}, {}, False),
        ({"enabled": False}, {}, False),
        ({}, {"enabled": False}, False),
        ({}, {"key": "OTHER"}, False),
    ],
)
def test_a_file_beside_a_variable(
    tmp_path: Path, of_file: dict[str, Any], of_variable: dict[str, Any], *, both: bool
) -> None:
    """New clients take the variable, so that the file may never be read."""
    targets = [file_target(tmp_path, **of_file), variable(**of_variable)]
    one = case(rotation([login_file(tmp_path)], targets))
    source, findings = Findings("login"), [Findings("the file"), Findings("the variable")]
    pairs = list(zip(one.rotation.targets, findings, strict=True))
    sources = [(one.rotation.sources[0], source)]
    compare([RotationChecks(one, Findings("journal"), sources, pairs)])
    assert [finding.level for finding in findings[1].all] == ["warning"] * both
    assert not findings[0].all
