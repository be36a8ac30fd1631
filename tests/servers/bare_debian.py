"""A bare Debian to install things in: no compiler, no git, no make; thrown away afterwards.

It has this machine's network, and this machine's authorities where packages come from.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.servers.debian_root import debian_root

if TYPE_CHECKING:
    from collections.abc import Mapping

_GIVEN = ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt", "etc/pip.conf")
_TRUST = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "PIP_INDEX_URL", "UV_DEFAULT_INDEX")
_ENTER = 'mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && exec chroot "$@"'


class BareDebian:
    """A context manager; `root` is its root directory, to be read and written."""

    def __init__(self, suite: str, folder: Path) -> None:
        self._lower = debian_root(suite)
        self._folder = folder
        self.root = folder / "root"
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Lay an empty directory over Debian's."""
        upper, work = self._folder / "upper", self._folder / "work"
        for path in (upper, work, self.root):
            path.mkdir(parents=True)
        upper.chmod(0o755)
        options = f"lowerdir={self._lower},upperdir={upper},workdir={work}"
        mount = ["mount", "-t", "overlay", "-o", options, "rotator-tests", str(self.root)]
        done = subprocess.run(mount, check=False)
        if done.returncode:  # no overlay over an overlay
            shutil.rmtree(self.root)
            shutil.copytree(self._lower, self.root, symlinks=True)
        else:
            self._stack.callback(self._unmount)
        for name in _GIVEN:
            if Path("/", name).exists():
                shutil.copy(Path("/", name), self.root / name)
        return self

    def _unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.root], check=True)

    def __exit__(self, *_: object) -> None:
        """Take it away."""
        self._stack.close()

    def run(self, script: str, environment: Mapping[str, str] | None = None) -> str:
        """Run lines of shell in it as root; return what they print; fail where one fails."""
        trust = {name: os.environ[name] for name in _TRUST if name in os.environ}
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", _ENTER, "sh", self.root, "/bin/sh", "-eu"],
            env={
                "PATH": "/root/.local/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                "HOME": "/root",
                "LANG": "C.UTF-8",
                **trust,
                **(environment or {}),
            },
            input=script,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, f"{script}: {done.stdout[-3000:]}"
        return done.stdout
