"""A real Docker engine of its own, as root, with one tiny image and no network.

`dockerd` keeps everything below one folder; the system's own engine, if any, is not touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import pytest

from tests.support import missing, need, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_APPLETS = ("cat", "ln", "ls", "mkdir", "printf", "readlink", "rm", "sh", "sleep", "touch")


class DockerEngine:
    """The engine and its command line client; `image` is the one image it has."""

    image = "busybox:tests"

    def __init__(self, folder: Path) -> None:
        if os.geteuid() != 0:
            missing("root, which a Docker engine needs", "sudo .venv/bin/pytest tests/e2e")
        self._dockerd = need("dockerd", "docker.io")
        self._docker = need("docker", "docker.io")
        self._busybox = need("busybox", "busybox-static")
        self._folder = folder
        self._stack = ExitStack()
        self.environment = {
            "DOCKER_HOST": f"unix://{folder}/docker.sock",
            "PATH": f"{os.path.dirname(self._docker)}:{os.environ['PATH']}",  # noqa: PTH120  text
        }

    def __enter__(self) -> Self:
        """Start it, wait until it answers, and give it the image."""
        # In memory: an overlay can't lie upon another one, and copies of whole images take seconds.
        root = self._folder / "root"
        root.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "rotator-tests", root], check=True)
        self._stack.callback(self._unmount)
        options = {
            "--data-root": root,
            "--exec-root": self._folder / "exec",
            "--pidfile": self._folder / "pid",
            "--host": self.environment["DOCKER_HOST"],
        }
        flags = ["--iptables=false", "--bridge=none", "--storage-driver=overlay2"]
        process = subprocess.Popen(
            [self._dockerd, *flags, *(f"{name}={value}" for name, value in options.items())],
            stdout=subprocess.DEVNULL,
            stderr=(self._folder / "log").open("wb"),
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        try:
            until(lambda: process.poll() is not None or self._answers(), what="dockerd")
            if process.returncode is not None:
                lines = (self._folder / "log").read_text().splitlines()
                missing(
                    f"a Docker engine ({lines[-1]})", "run the tests as root of a whole machine"
                )
            self._import_image()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._stack.close()

    def docker(self, *arguments: str) -> str:
        """Run `docker` with these arguments and return what it prints."""
        done = subprocess.run(
            [self._docker, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _answers(self) -> bool:
        command = [self._docker, "version"]
        done = subprocess.run(command, env=self.environment, capture_output=True, check=False)
        return done.returncode == 0

    def _import_image(self) -> None:
        root = self._folder / "image"
        (root / "bin").mkdir(parents=True)
        (root / "etc").mkdir()
        (root / "tmp").mkdir()
        # without it the engine would not know that root's home is /root
        (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        shutil.copy(self._busybox, root / "bin" / "busybox")
        for applet in _APPLETS:
            (root / "bin" / applet).symlink_to("busybox")
        with tarfile.open(self._folder / "image.tar", "w") as archive:
            archive.add(root, ".")
        self.docker("import", str(self._folder / "image.tar"), self.image)

    def _unmount(self) -> None:
        # The network of this machine is there once a container has used it.
        left = self._folder / "exec" / "netns" / "default"
        for place in (left, self._folder / "root"):
            if place.exists():
                subprocess.run(["umount", place], check=False, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def docker_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEngine]:
    """Give a Docker engine that runs containers."""
    with DockerEngine(tmp_path_factory.mktemp("docker-engine")) as engine:
        yield engine
