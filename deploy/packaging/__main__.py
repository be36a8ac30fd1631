"""`make dist`: everything that a release consists of, into one directory.

    python -m deploy.packaging [--output dist] [--only wheel,debian,image,chart,bill]

The same commit gives the same bytes each time: every file has the commit's time, everything is in
alphabetical order, and what rotator runs on is what requirements.txt names, hashes included.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from deploy.packaging import chart, debian, image, oci, packages, source
from deploy.packaging.bill import bill

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.packaging.source import Source

PARTS = ("wheel", "debian", "image", "chart", "bill")
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
SUMS = "SHA256SUMS"


def main(words: Sequence[str] | None = None) -> None:
    """Build what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--output", type=Path, default=Path("dist"))
    parser.add_argument("--only", default=",".join(PARTS), help="some of: %(default)s")
    options = parser.parse_args(words)
    output = options.output.resolve()
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    if source.git("status", "--porcelain"):
        say("what is changed and not committed is built too, and new files are not: git status")
    with source.unpacked() as one, TemporaryDirectory(prefix="rotator-dist-") as place:
        build(one, set(options.only.split(",")), Path(place), output)
    write_sums(output)
    for path in sorted(output.iterdir()):
        say(f"{path.stat().st_size / 1e6:8.2f} MB  {path.name}")


def build(one: Source, parts: set[str], place: Path, output: Path) -> None:
    """Build the parts; what one needs of another is built once."""
    wheel = packages.build(one, place)
    lock = one.folder / packages.LOCK
    if "wheel" in parts:
        for path in place.glob("registry_rotator-*"):
            shutil.copy(path, output)
        shutil.copy(lock, output)
    if "chart" in parts:
        chart.build(one, place, output)
    if "bill" in parts:
        listed = packages.locked(lock.read_text())
        (output / f"{source.NAME}-{one.version}.cdx.json").write_bytes(
            bill(one, "wheel", listed, ())
        )
    if not parts & {"debian", "image"}:
        return
    refusal = image.refusal() if "image" in parts else ""
    say("what rotator runs on …")
    libraries = packages.install(one, wheel, place)
    if "debian" in parts:
        with ThreadPoolExecutor() as pool:  # compressing takes the most time, and both can
            building = [
                pool.submit(debian.build, one, folder, architecture, place, output)
                for architecture, folder in libraries.items()
            ]
        for package in building:
            package.result()
    if refusal:
        say(f"no image: {refusal}")
    elif "image" in parts:
        build_image(one, libraries, place, output)


def build_image(one: Source, libraries: dict[str, Path], place: Path, output: Path) -> None:
    """Build the image for every architecture; this machine's comes first, as its Python runs."""
    native = MACHINES[platform.machine()]
    images: dict[str, oci.Image] = {}
    system: list[tuple[str, str, str]] = []
    compiled = Path()
    for architecture in sorted(libraries, key=lambda name: name != native):
        say(f"the image, for {architecture} …")
        root = image.unpack(architecture, place)
        system += root.packages
        if architecture == native:
            compiled = image.compiled(root.folder, libraries[native], place)
        images[architecture] = image.image(
            one, architecture, root.folder, libraries[architecture], compiled
        )
    stem = f"{source.NAME}-{one.version}-image"
    ordered = [images[name] for name in sorted(images)]
    archive = output / f"{stem}.tar"
    oci.write(ordered, f"localhost/rotator:{one.version}", image.about(one), one.epoch, archive)
    listed = packages.locked((one.folder / packages.LOCK).read_text())
    (output / f"{stem}.cdx.json").write_bytes(bill(one, "image", listed, system))


def write_sums(output: Path) -> None:
    """Write what `sha256sum --check SHA256SUMS` reads."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(output.iterdir())
    ]
    (output / SUMS).write_text("".join(lines))


def say(text: str) -> None:
    """Tell the person who waits what is being done."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
