"""`rotator init`: what it writes is right, and what is missing is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from click import Abort
from click.testing import CliRunner

from rotator.commands.init import Choices, execute
from tests.privileges import obey_modes

if TYPE_CHECKING:
    from tests.unit.commands.conftest import Site

SOURCES = {
    "ecr": ["--ecr", "eu-west-1"],
    "accounts": ["--ecr", "eu-west-1", "--account", "123456789012", "--account", "012345678901"],
    "approle": [
        *("--vault", "https://vault.example.com", "secret/harbor"),
        *("--registry", "harbor.example.com", "--role", "ci-rotator"),
    ],
    "token": [
        *("--vault", "https://vault.example.com", "secret/harbor", "--auth", "token"),
        *("--registry", "harbor.example.com"),
    ],
    "kubernetes": [
        *("--vault", "https://vault.example.com", "secret/harbor", "--auth", "kubernetes"),
        *("--registry", "harbor.example.com", "--role", "rotator"),
    ],
    "helper": ["--helper", "gcr", "europe-docker.pkg.dev"],
    "docker config": ["--docker-config", "/etc/rotator/extra.json"],
}
TARGETS = {
    "file": ["--file", "/opt/.docker/config.json"],
    "gitlab": ["--gitlab", "https://gitlab.example.com", "team/apps"],
    "configmap": ["--configmap", "gitlab-runner/docker-client-config"],
    "secret": ["--secret", "gitlab-runner/docker-client-config"],
    "both": ["--file", "/a/config.json", "--gitlab", "https://gitlab.example.com", "team"],
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", TARGETS)
def test_what_it_writes_is_right(site: Site, source: str, target: str) -> None:
    """`check --offline` is content with it, and has nothing to advise."""
    file = site.config
    options = [*SOURCES[source], *TARGETS[target]]
    done = site.type_alone("init", "--output", str(file), *options)
    assert done.code == 0, done.err
    checked = site.type_alone("--config", str(file), "check", "--offline")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.count("\n") == 1, checked.out
    named = set(re.findall("_file: (.*)", file.read_text()))
    assert named == {Path(path).name for path in re.findall("SECRET (.*)", done.out)}
    again = site.type_alone("init", "--output", str(file), *options)
    assert (again.code, "--force" in again.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "no source is named"),
        (["--ecr", "eu-west-1"], "no target is named"),
        (["--vault", "https://v", "a/b", "--file", "/a/b"], "--registry HOST"),
        (["--vault", "https://v", "a/b", "--registry", "h", "--file", "/a/b"], "needs --role"),
        (["--ecr", "Ireland", "--file", "/a/b"], "an AWS region such as eu-west-1"),
        (["--ecr", "eu-west-1", "--configmap", "name"], "NAMESPACE/NAME"),
        (["--ecr", "eu-west-1", "--file", "relative"], "an absolute path"),
    ],
)
def test_what_is_missing_is_named(site: Site, options: list[str], words: str) -> None:
    """Nothing is written, and the exit code is 2."""
    done = site.type_alone("init", "--output", str(site.config), *options)
    assert (done.code, words in done.err) == (2, True), done.err
    assert not site.config.exists()


def test_printed_only(site: Site) -> None:
    """`--output -` writes nothing."""
    done = site.type_alone("init", "--output", "-", *SOURCES["ecr"], *TARGETS["file"])
    assert yaml.safe_load(done.out)["rotations"][0]["name"] == "dind"


def test_a_place_that_is_none(site: Site) -> None:
    """It is said which file cannot be written."""
    below = site.login / "rotator.yaml"
    done = site.type_alone("init", "--output", str(below), *SOURCES["ecr"], *TARGETS["file"])
    assert (done.code, f"cannot write {site.login}" in done.err) == (2, True)


@pytest.mark.parametrize("name", ["shut/rotator.yaml", "n" * 300])
def test_a_place_that_can_not_be_had(site: Site, name: str) -> None:
    """A directory that may not be entered, and a name that is too long, are no bug."""
    (site.folder / "shut").mkdir(mode=0)
    below = site.folder / name
    obey_modes(on=True)
    try:
        done = site.type_alone("init", "--output", str(below), *SOURCES["ecr"], *TARGETS["file"])
    finally:
        obey_modes(on=False)
    assert (done.code, f"cannot write {below}" in done.err) == (2, True), done


@pytest.mark.parametrize(
    ("answers", "source", "target"),
    [
        (
            "ecr||file||2h",
            {"type": "ecr", "region": "eu-west-1"},
            {"path": "/opt/.docker/config.json"},
        ),
        (
            "vault|https://v|a/b||harbor.example.com|id|gitlab||team|",
            {"auth": {"method": "approle", "role_id": "id", "secret_id_file": "secret-id"}},
            {"url": "https://gitlab.com", "group": "team"},
        ),
        (
            "vault|https://v|a/b|kubernetes|harbor.example.com|ci|configmap|ns/name|",
            {"auth": {"method": "kubernetes", "role": "ci"}, "registry": "harbor.example.com"},
            {"type": "kubernetes_configmap", "namespace": "ns", "name": "name"},
        ),
        (
            "helper|gcr|gcr.io|secret||",
            {"helper": "gcr", "registries": ["gcr.io"]},
            {"type": "kubernetes_secret", "namespace": "gitlab-runner"},
        ),
        ("docker-config|/a.json|file|/b.json|", {"path": "/a.json"}, {"path": "/b.json"}),
    ],
)
def test_questions(
    tmp_path: Path, answers: str, source: dict[str, object], target: dict[str, object]
) -> None:
    """Whatever no option says is asked; an empty answer is what is usual."""
    file = tmp_path / "rotator.yaml"
    with CliRunner().isolation(answers.replace("|", "\n") + "\n"):
        assert execute(Choices(file), asks=True) == 0
    [rotation] = yaml.safe_load(file.read_text())["rotations"]
    assert source.items() <= rotation["sources"][0].items()
    assert target.items() <= rotation["targets"][0].items()


def test_what_is_probably_not_meant(site: Site) -> None:
    """What `check --offline` would warn of is said at once, beside what is written or printed."""
    target = TARGETS["file"]
    done = site.type_alone("init", "--output", str(site.config), "--ecr", "eu-wset-1", *target)
    assert done.code == 0
    assert f"{site.config}:10:13: warning: AWS's SDK knows no region `eu-wset-1`" in done.err
    printed = site.type_alone("init", "--output", "-", "--ecr", "eu-wset-1", *target)
    assert "-:10:13: warning: AWS's SDK knows no region `eu-wset-1`" in printed.err
    assert yaml.safe_load(printed.out)


def test_commands_for_a_name_with_blanks(site: Site) -> None:
    """What is printed can be typed."""
    file = site.folder / "my own.yaml"
    done = site.type_alone("init", "--output", str(file), *SOURCES["ecr"], *TARGETS["file"])
    assert f"  rotator --config '{file}' run-once\n" in done.out


def test_questions_that_are_left(tmp_path: Path) -> None:
    """Ctrl-C, or the end of the input, and nothing was written until then."""
    file = tmp_path / "rotator.yaml"
    with CliRunner().isolation("ecr\n"), pytest.raises(Abort):
        execute(Choices(file), asks=True)
    assert not file.exists()
