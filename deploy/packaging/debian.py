"""The Debian package: rotator with all that it runs on below /usr/lib/rotator, and Debian's Python.

One package serves every Debian and Ubuntu whose Python is in `packages.PYTHONS`. It is put together
here rather than by dpkg-deb, so that it can be built anywhere and is the same to the byte.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

from deploy.packaging.packages import PYTHONS
from deploy.packaging.reproducible import ar, gz, tar_of
from deploy.packaging.source import NAME, debian_version

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.packaging.source import Source

HOME = "usr/lib/rotator"
LAUNCHER = f"""#!/usr/bin/python3 -sPS
# -S: Debian's own Python packages, in other versions, are none of rotator's.
import sys

sys.path.insert(0, "/{HOME}")

from rotator.cli import main

sys.exit(main())
"""
CONFIGURATION = "etc/rotator/rotator.yaml"
DEPENDS = f"python3 (>= {PYTHONS[0]}), python3 (<< {PYTHONS[-1]}.99), ca-certificates"
SHELLS = {
    "bash": "usr/share/bash-completion/completions/rotator",
    "zsh": "usr/share/zsh/vendor-completions/_rotator",
    "fish": "usr/share/fish/vendor_completions.d/rotator.fish",
}
"""Where each shell's completions go."""


def build(source: Source, libraries: Path, architecture: str, folder: Path, output: Path) -> Path:
    """Build the package for one architecture; `libraries` is what `packages.install` made."""
    root = folder / f"debian-{architecture}"
    put_program(libraries, root)
    put_help(source, root)
    put_units(source, root)
    put_documents(source, root)
    data = tar_of(root, source.epoch)
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": lzma.compress(control(source, root, architecture), preset=9),
        "data.tar.xz": lzma.compress(data, preset=4),
    }
    package = output / f"{NAME}_{debian_version(source.version)}_{architecture}.deb"
    package.write_bytes(ar(members, source.epoch))
    shutil.rmtree(root)
    return package


def put(path: Path, text: str | bytes, *, executable: bool = False) -> None:
    """Write a file, and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o755 if executable else 0o644)


def put_program(libraries: Path, root: Path) -> None:
    """Put rotator where the launcher finds it."""
    shutil.copytree(libraries, root / HOME, copy_function=os.link)
    put(root / "usr/bin/rotator", LAUNCHER, executable=True)


def put_help(source: Source, root: Path) -> None:
    """Write the manual page and the completions, as the program of this commit prints them."""
    environment = {**os.environ, "PYTHONPATH": str(source.folder)}

    def printed(*words: str, **more: str) -> str:
        command = [sys.executable, *words]
        return subprocess.run(
            command,
            env={**environment, **more},
            cwd=source.folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    page = printed("deploy/manual.py").replace("/usr/local/share/", "/usr/share/")
    put(root / "usr/share/man/man1/rotator.1.gz", gz(page.encode()))
    for shell, path in SHELLS.items():
        code = "import sys; sys.argv[0] = 'rotator'; from rotator.cli import main; main()"
        put(root / path, printed("-c", code, _ROTATOR_COMPLETE=f"{shell}_source"))


def put_units(source: Source, root: Path) -> None:
    """Put what systemd reads where packages have it."""
    systemd = root / "usr/lib/systemd"
    for unit in sorted((source.folder / "systemd").glob("rotator*")):
        text = unit.read_text().replace("/usr/local/bin/", "/usr/bin/")
        if unit.suffix in {".service", ".timer"}:
            put(systemd / "system" / unit.name, text)
    generator = source.read("systemd/rotator.generator")
    put(systemd / "system-generators/rotator", generator, executable=True)
    put(root / "usr/lib/sysusers.d/rotator.conf", source.read("systemd/rotator.sysusers"))
    put(root / "usr/lib/tmpfiles.d/rotator.conf", source.read("systemd/rotator.tmpfiles"))


def put_documents(source: Source, root: Path) -> None:
    """Put the configuration to start from, the examples, and what Debian wants to know."""
    put(root / CONFIGURATION, source.read("config/ecr-to-file.yaml"))
    documents = root / "usr/share/doc" / NAME
    for example in (source.folder / "config").glob("*.yaml"):
        put(documents / "config" / example.name, example.read_bytes())
    for example in (source.folder / "systemd/drop-ins").glob("*.conf"):
        put(documents / "drop-ins" / example.name, example.read_bytes())
    put(documents / "copyright", source.read("LICENSE"))
    put(documents / "changelog.gz", gz(source.read("CHANGELOG.md")))


def control(source: Source, root: Path, architecture: str) -> bytes:
    """Return what dpkg reads: who needs what, and what to do before and after."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in files) // 1024
    sums = "".join(
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}"
        f"  {path.relative_to(root)}\n"
        for path in files
    )
    about = (
        f"Package: {NAME}\n"
        f"Version: {debian_version(source.version)}\n"
        f"Architecture: {architecture}\n"
        f"Maintainer: rotator <rotator@localhost>\n"
        f"Installed-Size: {size}\n"
        f"Depends: {DEPENDS}\n"
        f"Recommends: systemd\n"
        f"Section: admin\n"
        f"Priority: optional\n"
        f"Description: keeps registry credentials in GitLab CI fresh\n"
        f" It fetches credentials from Vault or AWS ECR, proves them at their registry, and\n"
        f" publishes them where jobs read them: in a file, in Kubernetes, in GitLab.\n"
    )
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        texts = {"control": about, "md5sums": sums, "conffiles": f"/{CONFIGURATION}\n"}
        # Python is compiled for the version that is there, also when that is replaced.
        texts["triggers"] = "interest-noawait /usr/bin/python3\n"
        scripts = {one: source.read(f"deploy/debian/{one}").decode() for one in SCRIPTS}
        for name, text in sorted({**texts, **scripts}.items()):
            entry = tarfile.TarInfo(f"./{name}")
            entry.size, entry.mtime = len(text.encode()), source.epoch
            entry.mode = 0o755 if name in scripts else 0o644
            entry.uname = entry.gname = "root"
            archive.addfile(entry, io.BytesIO(text.encode()))
    return stream.getvalue()


SCRIPTS = ("postinst", "prerm", "postrm")
"""What dpkg runs, in deploy/debian."""
