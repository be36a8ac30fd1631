"""`.gitlab-ci.yml` and the template for a scheduled pipeline, run by gitlab-ci-local."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from deploy.packaging.source import chart_version
from rotator import __version__
from tests.fakes.gitlab_access import OWNER
from tests.support import MARKED

if TYPE_CHECKING:
    from tests.fakes.gitlab import FakeGitlab
    from tests.servers.gitlab_pipeline import GitlabPipeline

pytestmark = pytest.mark.timeout(300)

PROJECT = Path(__file__).parents[2]
GROUP = "team/apps"
KEY = "DOCKER_AUTH_CONFIG"


def repository(place: Path, **files: str) -> Path:
    """Return a repository with one commit of these files."""
    place.mkdir()
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for words in (
        ["init", "--quiet", "--initial-branch=main"],
        ["config", "user.name", "Test"],
        ["config", "user.email", "test@example.com"],
        ["remote", "add", "origin", "git@gitlab.example.com:platform/rotator.git"],
        ["add", "."],
        ["commit", "--quiet", "--message=first"],
        ["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"],
    ):
        subprocess.run(["git", *words], cwd=place, check=True)
    return place


@pytest.mark.parametrize(
    ("variables", "jobs"),
    [
        ({"CI_PIPELINE_SOURCE": "merge_request_event"}, {"test"}),
        ({"CI_COMMIT_TAG": "v1.2.3", "CI_COMMIT_BRANCH": ""}, {"test", "dist"}),
        ({"CI_COMMIT_TAG": "nightly", "CI_COMMIT_BRANCH": ""}, {"test"}),
    ],
    ids=["a merge request", "a release", "another tag"],
)
def test_which_jobs_run(
    gitlab_pipeline: GitlabPipeline, tmp_path: Path, variables: dict[str, str], jobs: set[str]
) -> None:
    """The tests on each change, and what a release consists of on its tag alone."""
    text = (PROJECT / ".gitlab-ci.yml").read_text()
    place = repository(tmp_path / "project", **{".gitlab-ci.yml": text})
    assert gitlab_pipeline.jobs(place, **variables) == jobs


def test_the_tests_are_those_of_ci() -> None:
    """The job runs what has to pass before a change lands, and no other list of steps."""
    document = yaml.safe_load((PROJECT / ".gitlab-ci.yml").read_text())
    assert document["test"]["script"] == ["bash .ci/run"]


@pytest.mark.parametrize(("tag", "code"), [(f"v{__version__}", 0), ("v9.9.9", 1)])
def test_a_tag_builds_a_release(
    gitlab_pipeline: GitlabPipeline, tmp_path: Path, tag: str, code: int
) -> None:
    """The job builds `dist`, and fails where the tag is not the version that was built."""
    place = tmp_path / "project"
    subprocess.run(["git", "clone", "--quiet", PROJECT, place], check=True)
    (place / ".venv").symlink_to(Path(sys.prefix))
    for path in (place / "pyproject.toml", place / "constraints.txt"):
        os.utime(path, (0, 0))  # else the clone is newer than this environment
    shutil.copy(PROJECT / ".gitlab-ci.yml", place)
    # What is built is tested elsewhere; here one part of it is enough.
    done = gitlab_pipeline.run(
        place,
        *("dist", "--force-shell-executor", "--no-shell-isolation", "--no-artifacts-to-source"),
        CI_COMMIT_TAG=tag,
        CI_COMMIT_BRANCH="",
        DIST_ARGS="--only chart",
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
    built = {path.name for path in (place / "dist").iterdir()}
    assert built == {f"registry-rotator-{chart_version(__version__)}.tgz", "SHA256SUMS"}


def scheduled(tmp_path: Path, fake_gitlab: FakeGitlab) -> tuple[Path, dict[str, str]]:
    """Return a project that includes the template, and its pipeline's variables."""
    fake_gitlab.add_group(GROUP)
    token = fake_gitlab.add_token({GROUP: OWNER}).text
    configuration: dict[str, Any] = yaml.safe_load(
        (PROJECT / "config/gitlab-schedule.yaml").read_text()
    )
    (rotation,) = configuration["rotations"]
    rotation["prove"] = "off"
    rotation["sources"] = [{"type": "docker_config", "path": "$LOGINS"}]
    rotation["targets"][0]["url"] = fake_gitlab.url
    logins = tmp_path / "logins.json"
    entry = {"username": "ci", "password": f"{MARKED}schedule"}
    logins.write_text(json.dumps({"auths": {"harbor.example.com": entry}}))
    logins.chmod(0o600)
    rotation["sources"][0]["path"] = str(logins)
    pipeline = {
        "include": [
            {
                "local": "templates/run-once.yml",
                "inputs": {"config": "ci/rotator.yaml", "job": "credentials", "stage": "build"},
            }
        ]
    }
    place = repository(
        tmp_path / "project",
        **{
            ".gitlab-ci.yml": yaml.safe_dump(pipeline),
            "templates/run-once.yml": (PROJECT / "templates/run-once.yml").read_text(),
            "ci/rotator.yaml": yaml.safe_dump(configuration),
        },
    )
    variables = {
        "ROTATOR_GITLAB_TOKEN": token,
        "ROTATOR_ID_TOKEN": f"{MARKED}id-token",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    return place, variables


def test_a_schedule_publishes(
    gitlab_pipeline: GitlabPipeline, tmp_path: Path, fake_gitlab: FakeGitlab
) -> None:
    """The job writes the group's variable; the next one finds it fresh; by hand all is fetched."""
    place, variables = scheduled(tmp_path, fake_gitlab)
    first = gitlab_pipeline.job(place, "credentials", CI_PIPELINE_SOURCE="schedule", **variables)
    assert first.returncode == 0, first.stdout + first.stderr
    value = fake_gitlab.effective(f"{GROUP}/any", KEY)
    assert value is not None
    assert "harbor.example.com" in json.loads(value)["auths"]
    assert MARKED not in first.stdout + first.stderr

    writes = fake_gitlab.count("PUT") + fake_gitlab.count("POST")
    second = gitlab_pipeline.job(place, "credentials", CI_PIPELINE_SOURCE="schedule", **variables)
    assert second.returncode == 0, second.stdout
    assert fake_gitlab.count("PUT") + fake_gitlab.count("POST") == writes
    by_person = gitlab_pipeline.job(place, "credentials", CI_PIPELINE_SOURCE="web", **variables)
    assert by_person.returncode == 0, by_person.stdout


def test_a_failure_fails_the_pipeline(
    gitlab_pipeline: GitlabPipeline, tmp_path: Path, fake_gitlab: FakeGitlab
) -> None:
    """GitLab tells the schedule's owner of a failed pipeline: the job's exit code is rotator's."""
    place, variables = scheduled(tmp_path, fake_gitlab)
    variables["ROTATOR_GITLAB_TOKEN"] = f"{MARKED}wrong"
    done = gitlab_pipeline.job(place, "credentials", CI_PIPELINE_SOURCE="schedule", **variables)
    assert done.returncode != 0
    assert "To do:" in done.stdout + done.stderr


def test_it_runs_on_a_schedule_alone(
    gitlab_pipeline: GitlabPipeline, tmp_path: Path, fake_gitlab: FakeGitlab
) -> None:
    """A push renews nothing; what the inputs say is where it belongs."""
    place, _ = scheduled(tmp_path, fake_gitlab)
    assert gitlab_pipeline.jobs(place, CI_PIPELINE_SOURCE="push") == set()
    assert gitlab_pipeline.jobs(place, CI_PIPELINE_SOURCE="schedule") == {"credentials"}
    text = gitlab_pipeline.expanded(place, CI_PIPELINE_SOURCE="schedule")
    job = yaml.safe_load(text)["credentials"]
    assert job["stage"] == "build"
    assert job["resource_group"] == "rotator"
    assert job["variables"]["ROTATOR_CONFIG"] == "ci/rotator.yaml"
