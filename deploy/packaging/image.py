"""The image: Debian's Python with little around it, and rotator as it is in the Debian package.

Its base are Debian's own packages, unpacked but not configured: so no registry is needed, and no
emulator for the other architecture. `sh` and what it calls are busybox's, since a CI job that runs
in the image needs them (deploy/gitlab-ci).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.packaging.debian import HOME, put, put_program
from deploy.packaging.oci import Image
from deploy.packaging.reproducible import tar_of

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.packaging.source import Source

SUITE, PYTHON = "trixie", "3.13"
INCLUDE = "base-files,python3,ca-certificates,busybox,media-types,netbase,tzdata"
UNUSED = ("debconf", "dpkg", "libacl1", "libmd0", "mawk", "openssl", "tar", "readline-common")
"""Packages that the others ask for, to be configured with or to be used by hand."""
APPLETS = """
[ basename cat chmod chown cp cut date dirname echo env expr false find grep head id kill ln ls
mkdir mktemp mv printf pwd readlink rm rmdir sed sh sleep sort stat tail tee test touch tr true
uname uniq wc which xargs
""".split()  # noqa: SIM905  one word a line says no more
USER = 65532
STATE = "var/lib/rotator"
HEALTHCHECK = f"{HOME}/healthcheck.py"
ARCHIVES = "var/cache/apt/archives"


@dataclass(frozen=True)
class Root:
    """Debian's part of the image, unpacked, and its packages: name, version, architecture."""

    folder: Path
    packages: tuple[tuple[str, str, str], ...]


def refusal() -> str:
    """Return what is missing to build the image, with the command that installs it."""
    if shutil.which("mmdebstrap") is None:
        return "mmdebstrap is not here: apt-get install mmdebstrap"
    if os.geteuid() != 0:
        return "unpacking Debian's packages needs root: sudo make dist"
    return ""


def unpack(architecture: str, folder: Path) -> Root:
    """Unpack Debian's Python for one architecture."""
    root = folder / f"image-{architecture}"
    command = ["mmdebstrap", "--quiet", "--variant=extract", f"--architectures={architecture}"]
    # The archives stay, for the list of what is in the image.
    command += ["--skip=cleanup/apt", f"--include={INCLUDE}", SUITE, str(root)]
    subprocess.run(command, check=True)
    packages = []
    for archive in sorted((root / ARCHIVES).glob("*.deb")):
        name, version, suffix = archive.stem.split("_")
        if name in UNUSED:
            remove(archive, root)
        else:
            packages.append((name, version.replace("%3a", ":"), suffix))
    for path in ("var/cache", "var/lib/apt", "var/lib/dpkg", "etc/apt", "etc/dpkg", "dev", "boot"):
        shutil.rmtree(root / path, ignore_errors=True)
    for path in ("etc/resolv.conf", "etc/hostname"):
        (root / path).unlink(missing_ok=True)
    (root / "dev").mkdir()
    configure(root)
    return Root(root, tuple(packages))


def remove(archive: Path, root: Path) -> None:
    """Take a package's files out again; its licence stays."""
    stream = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", archive], check=True, stdout=subprocess.PIPE
    ).stdout
    listing = archive.with_suffix(".tar")
    listing.write_bytes(stream)
    with tarfile.open(listing) as files:
        for entry in files:
            path = root / entry.name
            if entry.isdir() or "/share/doc/" in entry.name:
                continue
            path.unlink(missing_ok=True)
            with suppress(OSError):  # others have files there
                path.parent.rmdir()


def configure(root: Path) -> None:
    """Do what the packages' own scripts would have done, as far as rotator needs it."""
    users = f"root:x:0:0:root:/root:/bin/sh\nrotator:x:{USER}:{USER}::/{STATE}:/bin/sh\n"
    put(root / "etc/passwd", users)
    put(root / "etc/group", f"root:x:0:\nrotator:x:{USER}:\n")
    put(root / "etc/nsswitch.conf", "hosts: files dns\n")
    authorities = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = "".join(path.read_text().rstrip("\n") + "\n" for path in authorities)
    put(root / "etc/ssl/certs/ca-certificates.crt", bundle)
    default = root / "usr/lib/ssl"
    default.mkdir(exist_ok=True)
    for name, leads_to in (("certs", "certs"), ("cert.pem", "certs/ca-certificates.crt")):
        (default / name).unlink(missing_ok=True)
        (default / name).symlink_to(f"/etc/ssl/{leads_to}")
    for applet in APPLETS:
        path = root / "usr/bin" / applet
        if not path.exists():
            path.symlink_to("busybox")


def compiled(root: Path, libraries: Path, folder: Path) -> Path:
    """Return a folder with everything that the image's Python, run in `root`, has compiled.

    It is the same for every architecture.
    """
    shutil.copytree(libraries, root / HOME, copy_function=os.link)
    command = ["chroot", str(root), "/usr/bin/python3", "-m", "compileall", "-q"]
    command += ["--invalidation-mode=unchecked-hash", f"/usr/lib/python{PYTHON}", f"/{HOME}"]
    # One thing after the other, and sets in one order: else it is not the same to the byte.
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})
    place = folder / "compiled"
    for path in sorted((root / "usr/lib").rglob("__pycache__/*.pyc")):
        there = place / path.relative_to(root)
        there.parent.mkdir(parents=True, exist_ok=True)
        path.rename(there)
    shutil.rmtree(root / HOME)
    for cache in list((root / "usr/lib").rglob("__pycache__")):
        shutil.rmtree(cache)
    return place


def add_compiled(place: Path, root: Path, where: str) -> None:
    """Put what was compiled beside the sources that are below `where`."""
    for path in (place / where).rglob("*.pyc"):
        there = root / path.relative_to(place)
        if (there.parent.parent / f"{there.name.partition('.')[0]}.py").exists():
            there.parent.mkdir(exist_ok=True)
            os.link(path, there)


def program(source: Source, libraries: Path, compiled: Path, folder: Path) -> bytes:
    """Return the second layer: rotator, its libraries for the image's Python, and its state."""
    root = folder / "image-program"
    put_program(libraries, root)
    mine = f".cpython-{PYTHON.replace('.', '')}-"
    for path in (root / HOME).rglob("*.cpython-*.so"):
        if mine not in path.name:
            path.unlink()
    add_compiled(compiled, root, HOME)
    put(root / HEALTHCHECK, source.read("deploy/docker/healthcheck.py"))
    (root / STATE).mkdir(parents=True)
    layer = tar_of(root, source.epoch, prefix="", owners={STATE: (USER, 0o700)})
    shutil.rmtree(root)
    return layer


def image(source: Source, architecture: str, root: Path, libraries: Path, compiled: Path) -> Image:
    """Return the image for one architecture; Debian's part is below `root`."""
    add_compiled(compiled, root, f"usr/lib/python{PYTHON}")
    owners = {"tmp": (0, 0o1777), "root": (0, 0o700)}
    layers = {
        f"Debian's Python {PYTHON}": tar_of(root, source.epoch, prefix="", owners=owners),
        f"rotator {source.version}": program(source, libraries, compiled, root.parent),
    }
    shutil.rmtree(root)
    config = {
        "User": f"{USER}:{USER}",
        "Env": [
            "PATH=/usr/bin:/bin",
            f"HOME=/{STATE}",
            f"STATE_DIRECTORY=/{STATE}",
            "LANG=C.UTF-8",
            # The root file system is read-only, so Python has nowhere to keep what it compiles.
            "PYTHONDONTWRITEBYTECODE=1",
            # One pool of memory for all threads: those that glibc gives to each go on growing.
            "MALLOC_ARENA_MAX=1",
        ],
        "Entrypoint": ["/usr/bin/rotator"],
        "Cmd": ["run"],
        "WorkingDir": f"/{STATE}",
        "Labels": about(source),
    }
    return Image(architecture, layers, config)


def about(source: Source) -> dict[str, str]:
    """Return what the image says about itself."""
    prefix = "org.opencontainers.image"
    return {
        f"{prefix}.title": "rotator",
        f"{prefix}.description": "Keeps registry credentials in GitLab CI fresh",
        f"{prefix}.licenses": "MIT",
        f"{prefix}.version": source.version,
        f"{prefix}.revision": source.revision,
    }
