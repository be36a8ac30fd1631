"""What `make dist` builds, built once for all tests that install it.

It is kept below the user's cache, by what the files of the project are, so that two workers, or two
runs on the same files, build it once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.packaging import image
from deploy.packaging.source import PROJECT, git, tree
from tests.servers.debian_root import CACHE
from tests.support import missing

STAYS = 2
"""How many builds are kept."""


@dataclass(frozen=True)
class Dist:
    """A directory with everything that a release consists of."""

    folder: Path

    def one(self, pattern: str) -> Path:
        """Return the only file whose name fits."""
        (found,) = self.folder.glob(pattern)
        return found


def build(output: Path) -> Dist:
    """Run `make dist` into a directory."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.packaging", "--output", output],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return Dist(output)


def made_of() -> str:
    """Return what names the commit, whose time is in everything, and the files as they are now."""
    files = git("rev-parse", f"{tree()}^{{tree}}")[:12]
    return f"{git('rev-parse', 'HEAD')[:12]}-{files}"


def whole() -> Dist:
    """Return a build of the files as they are now; make it where it is not."""
    if image.refusal():
        missing("what builds the image", image.refusal())
    folder = CACHE / f"dist-{made_of()}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "dist.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = CACHE / f"{folder.name}.{os.getpid()}"
            build(unfinished)
            unfinished.rename(folder)
            builds = sorted(CACHE.glob("dist-*-*"), key=lambda path: path.stat().st_mtime)
            for old in builds[:-STAYS]:
                shutil.rmtree(old)
    return Dist(folder)


@pytest.fixture(scope="session")
def dist() -> Dist:
    """Give everything that a release consists of: built, or the one that is given."""
    given = os.environ.get("ROTATOR_TEST_DIST")
    return Dist(Path(given)) if given else whole()
