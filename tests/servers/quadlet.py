"""Podman's quadlet, which makes units of `.container` files, from a Debian that has a new one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.servers.debian_root import CACHE
from tests.support import missing, need

if TYPE_CHECKING:
    from pathlib import Path

SUITE = "trixie"
PLACE = "etc/containers/systemd"


def quadlet_root() -> Path:
    """Return a directory with Debian's podman, unpacked only; make it where it is not there."""
    if os.geteuid() != 0:
        missing("root, which chroot needs", "sudo .venv/bin/pytest tests/e2e")
    root = CACHE / f"quadlet-{SUITE}"
    if not root.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = root.with_suffix(f".{os.getpid()}")
        command = [need("mmdebstrap", "mmdebstrap"), "--quiet", "--variant=extract"]
        command += ["--include=base-files,podman", SUITE, str(unfinished)]
        subprocess.run(command, check=True)
        unfinished.rename(root)
    return root


def units(files: list[Path]) -> dict[str, str]:
    """Return the units that these `.container` files become; fail where one is not right."""
    root = quadlet_root()
    place = root / PLACE
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for file in files:
        shutil.copy(file, place)
    done = subprocess.run(
        ["chroot", root, "/usr/libexec/podman/quadlet", "-dryrun"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    parts = re.split(r"^---(\S+)---$", done.stdout, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))
