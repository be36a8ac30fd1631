"""A minimal Debian with systemd, and rotator installed for it as a packager would do it.

The root is made once and kept below `$XDG_CACHE_HOME` (default ~/.cache).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import missing, need

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT = Path(__file__).resolve().parents[2]
SUITE, PYTHON = "bookworm", "3.11"
PACKAGES = ("systemd", "systemd-sysv", "dbus", "python3", "python3-venv", "ca-certificates")
SYSTEM_PYTHON = "/usr/bin/python3"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "rotator-tests")


def debian_root(suite: str = SUITE, packages: Sequence[str] = PACKAGES) -> Path:
    """Return a directory with a minimal Debian that has systemd; make it where it is not there."""
    if os.geteuid() != 0:
        missing("root, which booting a machine needs", "sudo .venv/bin/pytest tests/e2e")
    mmdebstrap = need("mmdebstrap", "mmdebstrap")
    name = hashlib.sha256(" ".join((suite, *packages)).encode()).hexdigest()[:12]
    root = CACHE / f"debian-{suite}-{name}"
    if not root.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        # A name of its own until it is whole: another run may make the same.
        unfinished = root.with_suffix(f".{os.getpid()}")
        include = f"--include={','.join(packages)}"
        done = subprocess.run(
            [mmdebstrap, "--quiet", "--variant=minbase", include, suite, unfinished],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        unfinished.rename(root)
    return root


def install(destination: Path) -> None:
    """Install rotator below a directory, for the Python that Debian has."""
    version = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=False,
    )
    if version.stdout.strip() != PYTHON:
        missing(
            f"{SYSTEM_PYTHON} in version {PYTHON} with venv", "apt-get install python3-venv (on 12)"
        )
    done = subprocess.run(
        ["make", "install", f"DESTDIR={destination}", f"PYTHON={SYSTEM_PYTHON}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
