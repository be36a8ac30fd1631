"""What the programs that read a document take of it, as `check` says it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rotator.checks import registry
from rotator.clients.lookups import Consumer
from rotator.config import readers
from rotator.config.targets import FileTargetSettings, GitlabVariableTargetSettings
from rotator.core.model import Held
from rotator.core.record import Record, SourceRecord
from rotator.inspection import Findings
from tests.clients.examples import HOST, entry
from tests.unit.checks.described import HARBOR, bad, case, file_target, login_file, rotation, the

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.inspection import Finding


def variable() -> GitlabVariableTargetSettings:
    """Return a group's variable."""
    return GitlabVariableTargetSettings(url="https://g", group="g", token_env="T")


def found(text: str, *, consumers: Any = readers.VARIABLE, ours: str = HOST) -> list[Finding]:
    """Return what is found about a document in which a registry is ours."""
    findings = Findings("the target")
    registry.problems(text, consumers, [ours], findings)
    return findings.all


@pytest.mark.parametrize(
    ("top", "words"),
    [
        ({"credHelpers": {"other.example.com": "ecr-login"}}, "docker-credential-ecr-login"),
        ({"credsStore": "pass"}, "docker-credential-pass"),
        ({"psFormat": 1}, "`psFormat` is not a string"),
    ],
)
def test_a_variable_that_the_runner_drops_is_a_failure(top: dict[str, Any], words: str) -> None:
    """The runner itself reads it, so that not one of our logins is used."""
    text = json.dumps({"auths": {HOST: entry()}, **top})
    failure = the(found(text), "failure", words)
    assert "GitLab Runner" in failure.found
    assert "jq" in failure.todo
    level = "failure" if "credHelpers" not in top else "warning"
    the(found(text, consumers=(Consumer.DOCKER_FILE,)), level, words)


def test_what_all_take_is_no_finding() -> None:
    """Empty entries and tokens beside ours break no file."""
    auths = {HOST: entry(), "a": {}, "b": {"identitytoken": "x"}, "c": entry(email="e")}
    text = json.dumps({"auths": auths, "HttpHeaders": {"X": "y"}})
    assert found(text, consumers=readers.RUNNERS_FILE) == []
    assert len(bad(found(text))) == 4  # each of them breaks the variable


@pytest.mark.parametrize(
    ("registries", "words"),
    [
        ((f"{HOST}/a", f"{HOST}/b"), "paths of one host"),
        ((f"{HOST}/a", HOST), "ignores keys with a path"),
        ((f"{HOST}/a",), "does not find it"),
    ],
)
def test_paths_are_said_without_a_document(registries: tuple[str, ...], words: str) -> None:
    """They are wrong as they are configured."""
    (problem,) = readers.configured(variable(), registries)
    assert words in problem.what
    assert "one login" in problem.todo
    assert readers.configured(variable(), [HOST, HARBOR]) == ()
    for_file = readers.configured(FileTargetSettings(path="/x/config.json"), registries)
    assert bool(for_file) == (len(registries) > 1)


def test_check_says_it_before_anything_is_published(tmp_path: Path) -> None:
    """Where only the journal knows the registries: else it is said beside the configuration."""
    source = {key: value for key, value in login_file(tmp_path).items() if key != "registries"}
    past = SourceRecord(registries=(f"{HARBOR}/a", f"{HARBOR}/b"))
    one = case(rotation([source], [file_target(tmp_path)]), Record(sources={"login": past}))
    findings = Findings("the file")
    registry.published(one.rotation.targets[0], Held(None), one, findings)
    the(findings.all, "warning", "as configured: ")
    source["registries"] = list(past.registries)
    one = case(rotation([source], [file_target(tmp_path)]), Record(sources={"login": past}))
    findings = Findings("the file")
    registry.published(one.rotation.targets[0], Held(None), one, findings)
    assert bad(findings.all) == []


@pytest.mark.parametrize(
    ("path", "is_the_runners"),
    [("/root/.docker/config.json", True), ("/opt/.docker/config.json", False)],
)
def test_who_reads_a_file(path: str, *, is_the_runners: bool) -> None:
    """Only the runner user's own file is read by the runner itself."""
    found = readers.readers(FileTargetSettings(path=path))
    assert (Consumer.RUNNER in found) == is_the_runners
