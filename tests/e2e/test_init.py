"""`rotator init`: a first configuration, and the commands that it prints, typed as they stand."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import MARKED, until

if TYPE_CHECKING:
    from tests.e2e.site import Site

PROGRAM = str(Path(sys.executable).with_name("rotator"))
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


def typed(*words: str, place: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Type a command."""
    environ = {"PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}", "HOME": str(place), **more}
    return subprocess.run(
        words, env=environ, cwd=place, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", TARGETS)
def test_what_it_writes_is_right(tmp_path: Path, source: str, target: str) -> None:
    """`check --offline` is content with it, and has nothing to advise."""
    file = tmp_path / "rotator.yaml"
    options = [*SOURCES[source], *TARGETS[target]]
    done = typed(PROGRAM, "init", "--output", str(file), *options, place=tmp_path)
    assert done.returncode == 0, done.stderr
    checked = typed(PROGRAM, "--config", str(file), "check", "--offline", place=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.count("\n") == 1, checked.stdout
    named = set(re.findall("_file: (.*)", file.read_text()))
    assert named == {Path(path).name for path in re.findall("SECRET (.*)", done.stdout)}
    again = typed(PROGRAM, "init", "--output", str(file), *options, place=tmp_path)
    assert (again.returncode, "--force" in again.stderr) == (2, True)


def next_commands(printed: str) -> list[list[str]]:
    """Return the three commands that are printed."""
    lines = printed.partition("one after another:\n")[2].splitlines()
    return [shlex.split(line) for line in lines]


def test_the_next_three_commands(tmp_path: Path) -> None:
    """Typed as they stand they check, publish, and keep it fresh."""
    source, target = tmp_path / "source" / "config.json", tmp_path / "docker" / "config.json"
    for path in (source, target):
        path.parent.mkdir(mode=0o700)
    source.write_text(json.dumps({"auths": {"127.0.0.1:1": {"auth": "dTpzM2NyM3QtcA=="}}}))
    source.chmod(0o600)
    options = ["--docker-config", str(source), "--file", str(target), "--name", "first"]
    where = ["--output", str(tmp_path / "rotator.yaml")]
    printed = typed("rotator", "init", *where, *options, place=tmp_path).stdout
    check, once, run = next_commands(printed)
    assert "first: warning" in typed(*check, place=tmp_path).stdout  # nobody answers there
    assert typed(*once, place=tmp_path).returncode == 0
    assert json.loads(target.read_text())["auths"].keys() == {"127.0.0.1:1"}
    target.unlink()
    environ = {"PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    with subprocess.Popen(run, env=environ, stderr=subprocess.DEVNULL) as daemon:
        try:
            until(target.exists, what="the daemon's first cycle")
        finally:
            daemon.terminate()


def test_with_a_vault(site: Site, tmp_path: Path) -> None:
    """A real server, the secret put where it says: the same three commands."""
    vault = site.vault
    options = ["--vault", vault["address"], vault["path"], "--registry", vault["registry"]]
    options += ["--auth", "token", "--file", str(site.file), "--output", str(tmp_path / "r.yaml")]
    printed = typed("rotator", "init", *options, place=tmp_path).stdout
    (secret,) = re.findall("SECRET (.*)", printed)
    Path(secret).write_text(site.token.read_text())
    Path(secret).chmod(0o600)
    check, once, _ = next_commands(printed)
    checked = typed(*check, place=tmp_path)
    assert checked.returncode == 0, checked.stdout
    assert typed(*once, place=tmp_path).returncode == 0
    assert vault["registry"] in site.file.read_text()


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
def test_what_is_missing_is_named(tmp_path: Path, options: list[str], words: str) -> None:
    """Nothing is written, and the exit code is 2."""
    file = tmp_path / "rotator.yaml"
    done = typed(PROGRAM, "init", "--output", str(file), *options, place=tmp_path)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert not file.exists()


def test_questions_on_a_terminal(tmp_path: Path) -> None:
    """Who names nothing is asked; each question has an answer that is usual."""
    file = tmp_path / "rotator.yaml"
    ours, theirs = pty.openpty()
    command = [PROGRAM, "init", "--output", str(file)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as asked:
        os.close(theirs)
        for answer in ("ecr", "eu-central-1", "", "", "3h"):
            os.write(ours, f"{answer}\n".encode())
        text = b""
        with suppress(OSError):
            while part := os.read(ours, 65536):
                text += part
    os.close(ours)
    assert asked.returncode == 0, text
    written = file.read_text()
    for words in ("region: eu-central-1", "path: /opt/.docker/config.json", "longest_job: 3h"):
        assert words in written
    assert MARKED not in written
