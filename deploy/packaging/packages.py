"""The Python packages that rotator runs on, as locked, and rotator itself: wheel and sdist."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.docker.finish import remove_services

if TYPE_CHECKING:
    from deploy.packaging.source import Source

LOCK = "requirements.txt"
ARCHITECTURES = {"amd64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}
"""Debian's names for them, and uv's."""
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
NOISE = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
"""What an installer notes about itself and this machine, and nobody needs afterwards."""
_LOCKED = re.compile(r"^([a-z0-9.-]+)==(\S+)(?: ; (.+?))? \\$", re.MULTILINE)
_PARENTS = re.compile(r"# via((?: .+)?(?:\n    #   .+)*)")


@dataclass(frozen=True)
class Locked:
    """One package of the lock; `parents` are those that need it, rotator among them."""

    name: str
    version: str
    marker: str
    parents: tuple[str, ...]
    hashes: tuple[str, ...]


def blocks(text: str) -> dict[str, str]:
    """Return a lock's parts by the package's name."""
    starts = [match.start() for match in _LOCKED.finditer(text)]
    parts = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    return {part.partition("==")[0]: part for part in parts}


def locked(text: str) -> list[Locked]:
    """Return what a lock holds."""
    found = []
    for block in blocks(text).values():
        match = _LOCKED.match(block)
        via = _PARENTS.search(block)
        if match is None or via is None:
            raise SystemExit(f"{LOCK} can't be understood: {block[:200]}")
        name, version, marker = match.groups(default="")
        parents = [word for word in via[1].replace("#", " ").split() if word[0].isalnum()]
        hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", block)
        wanted = tuple(one for one in parents if one != "constraints.txt")
        found.append(Locked(name, version, marker, wanted, tuple(hashes)))
    return found


def program(name: str) -> str:
    """Return a program of the environment that builds."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is not here: pip install --constraint constraints.txt '.[dev]'")
    return found


def build(source: Source, output: Path) -> Path:
    """Build sdist and wheel into a folder; return the wheel."""
    # The wheel is made from the files, not from the sdist: the build downloads nothing.
    subprocess.run(
        [program("hatchling"), "build", "--directory", output],
        cwd=source.folder,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(source.epoch)},
        check=True,
        capture_output=True,
    )
    (wheel,) = output.glob(f"*-{source.version}-*.whl")
    return wheel


def install(source: Source, wheel: Path, folder: Path) -> dict[str, Path]:
    """Install rotator and what it runs on, for each architecture into a folder of its own.

    Each folder serves every version of Python: extension modules carry the version's name in
    theirs, everything else is the same for all. So all is installed once, and what has extension
    modules once more for each version and architecture.
    """
    lock = source.folder / LOCK
    common = folder / "libraries"
    pip_install(common, "amd64", PYTHONS[0], "--require-hashes", f"--requirement={lock}")
    pip_install(common, "amd64", PYTHONS[0], wheel)
    tidy(common)
    extending = folder / "extending.txt"
    parts, notes = blocks(lock.read_text()), with_extensions(common)
    extending.write_text("".join(parts[name] for name in sorted(notes)))
    for note in notes.values():
        shutil.rmtree(note)
    for path in common.rglob("*.so"):
        path.unlink()
    found = {}
    for architecture in ARCHITECTURES:
        found[architecture] = folder / f"libraries-{architecture}"
        shutil.copytree(common, found[architecture], copy_function=os.link)
        for version in PYTHONS:
            part = folder / f"part-{architecture}-{version}"
            pip_install(
                part, architecture, version, "--require-hashes", f"--requirement={extending}"
            )
            tidy(part)
            merge(part, found[architecture])
    shutil.rmtree(common)
    return found


def pip_install(place: Path, architecture: str, version: str, *what: str | Path) -> None:
    """Install packages for some version of Python, which need not be here."""
    command = [
        *(program("uv"), "pip", "install", "--quiet", "--no-deps", "--link-mode=copy"),
        *("--only-binary=:all:", f"--target={place}", f"--python-version={version}"),
        f"--python-platform={ARCHITECTURES[architecture]}",
    ]
    subprocess.run([*command, *what], check=True)


def with_extensions(folder: Path) -> dict[str, Path]:
    """Return the packages that are not the same for every version of Python, with their notes."""
    return {
        path.parent.name.partition("-")[0].replace("_", "-").lower(): path.parent
        for path in folder.glob("*.dist-info/WHEEL")
        if "Root-Is-Purelib: false" in path.read_text()
    }


def tidy(folder: Path) -> None:
    """Remove what nobody calls: scripts, installers' notes, and most of AWS's services."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    for name in NOISE:
        for path in folder.glob(f"*.dist-info/{name}"):
            path.unlink()
    for package in ("botocore", "boto3"):
        remove_services(folder / package / "data")


def merge(folder: Path, place: Path) -> None:
    """Move a folder's files into another one; both have the same where both have one."""
    for path in sorted(folder.rglob("*")):
        there = place / path.relative_to(folder)
        if path.is_dir():
            there.mkdir(parents=True, exist_ok=True)
        elif not there.exists():
            path.rename(there)
        elif not filecmp.cmp(path, there, shallow=False) and not _may_differ(path):
            raise SystemExit(f"{path.name} is not the same for every version of Python: {path}")
    shutil.rmtree(folder)


def _may_differ(path: Path) -> bool:
    # The notes about a wheel name the one that was taken.
    return path.parent.name.endswith(".dist-info")
