"""Container images without a registry or a daemon, on a base made of this machine's own Python."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import missing, need

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[2]
DOCKERFILE = PROJECT / "deploy" / "docker" / "Dockerfile"
IMAGE = "localhost/rotator:test"
TOOLS = ("sh", "install")
"""What the Dockerfile's RUN lines call, beside Python."""
COMPILED = ("msgspec", "yaml")
"""Packages in the image whose extension modules may need more than Python itself: gcc's library."""
LEFT_OUT = ("test", "*-packages", "idlelib", "tkinter", "lib2to3", "config-*", "*.opt-?.pyc")
"""What Python's own library has and nobody here needs."""


class Containers:
    """Buildah and podman with a storage of their own."""

    def __init__(self, folder: Path) -> None:
        self._buildah = need("buildah", "buildah")
        self._podman = need("podman", "podman")
        self._runtime = need("runc", "runc")
        self._tar = need("tar", "tar")
        self._storage = ("--root", str(folder / "root"), "--runroot", str(folder / "run"))

    def import_image(self, folder: Path, name: str) -> None:
        """Make an image of what is in a folder."""
        archive = subprocess.Popen([self._tar, "-C", folder, "-c", "."], stdout=subprocess.PIPE)
        subprocess.run(
            [self._podman, *self._storage, "import", "--quiet", "-", name],
            stdin=archive.stdout,
            check=True,
            capture_output=True,
        )
        assert archive.wait() == 0

    def build(self, dockerfile: Path, context: Path) -> None:
        """Build our image on the base that is already here."""
        reach = [Path("/etc/pip.conf"), Path("/etc/ssl/certs/ca-certificates.crt")]
        done = subprocess.run(
            [
                *(self._buildah, *self._storage, "bud", "--isolation=chroot", "--network=host"),
                *("--pull=never", "--format=docker", "--file", dockerfile, "--tag", IMAGE),
                *("--build-arg", "VERSION=1.2.3"),
                *(f"--volume={path}:{path}:ro" for path in reach if path.exists()),
                context,
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]

    def run(self, *arguments: str, options: tuple[str, ...] = ()) -> tuple[int, str]:
        """Run our image with everything locked down; return exit code and standard output."""
        locked = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--network=none")
        # What a machine without limits of its own to give away needs.
        limits = ("--ulimit=nofile=1024:4096", "--ulimit=nproc=1000:1000")
        done = subprocess.run(
            [
                *(self._podman, *self._storage, "--runtime", self._runtime, "run", "--rm"),
                *(*locked, *limits, *options, IMAGE, *arguments),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode not in {125, 126, 127}, done.stderr
        return done.returncode, done.stdout

    def inspect(self, image: str = IMAGE) -> dict[str, Any]:
        """Return what is known of an image."""
        command = [self._podman, *self._storage, "inspect", image]
        done = subprocess.run(command, check=True, capture_output=True)
        found: dict[str, Any] = json.loads(done.stdout)[0]
        return found

    def save(self, archive: Path) -> None:
        """Write our image into a file that `docker load` reads."""
        subprocess.run(
            [self._podman, *self._storage, "save", "--quiet", "--output", archive, IMAGE],
            check=True,
            capture_output=True,
        )


def libraries(program: Path) -> set[Path]:
    """Return the shared libraries that a program or extension module needs."""
    done = subprocess.run(["ldd", program], check=False, capture_output=True, text=True)
    return {Path(name) for name in re.findall(r"(/\S+) \(0x", done.stdout)}


def make_base(root: Path) -> None:
    """Make what the image of Python has, out of this machine's Python and a few of its tools.

    So the test needs no registry: Python in /usr/local, pip, a shell and `install`.
    """
    standard = Path(os.__file__).parent
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    program = Path(sys.executable).resolve()
    pip = importlib.util.find_spec("pip")
    if pip is None or pip.origin is None:
        missing("pip", "python -m ensurepip")
    assert pip is not None
    assert pip.origin is not None
    binaries = root / "usr/local/bin"
    binaries.mkdir(parents=True)
    leave = shutil.ignore_patterns(*LEFT_OUT)
    library = root / "usr/local/lib" / version
    shutil.copytree(standard, library, symlinks=True, ignore=leave)
    shutil.copytree(Path(pip.origin).parent, library / "site-packages" / "pip")
    shutil.copy(program, binaries / version)
    (binaries / "python").symlink_to(version)
    (binaries / "pip").write_text(
        f"#!/usr/local/bin/{version}\n"
        f"import runpy, sys\n"
        f"sys.path.insert(0, '/usr/local/lib/{version}/site-packages')\n"
        f"runpy.run_module('pip', run_name='__main__')\n"
    )
    (binaries / "pip").chmod(0o755)
    needed = libraries(program)
    # What the C library loads by itself, once a thread of Python is ended from outside.
    needed |= {one.with_name("libgcc_s.so.1") for one in needed if one.name == "libc.so.6"}
    extensions = list(standard.glob("lib-dynload/*.so"))
    for name in COMPILED:
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None:
            extensions += Path(found.origin).parent.glob("*.so")
    for extension in extensions:
        needed |= libraries(extension)
    for name in TOOLS:
        tool = Path(need(name, "coreutils"))
        needed |= libraries(tool)
        (root / "bin").mkdir(exist_ok=True)
        shutil.copy(tool, root / "bin" / name)
    for path in needed:
        place = root / path.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    for name in ("tmp", "var/lib", "etc", "usr/bin", "opt", "proc", "sys", "dev", "run"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")


def base_name() -> str:
    """Return the name of the image that ours is built on."""
    (tag,) = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    return f"docker.io/library/python:{tag}"


@pytest.fixture(scope="session")
def image() -> Iterator[Containers]:
    """Build our image once."""
    if os.geteuid() != 0:
        missing("root, which building without a daemon needs here", "run the tests as root")
    # Podman refuses a runroot of more than 50 characters, which tmp_path has.
    with tempfile.TemporaryDirectory(prefix="i") as folder:
        containers = Containers(Path(folder))
        make_base(Path(folder, "base"))
        containers.import_image(Path(folder, "base"), base_name())
        containers.build(DOCKERFILE, PROJECT)
        yield containers
