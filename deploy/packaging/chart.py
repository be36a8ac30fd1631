"""The Helm chart's archive: what `helm package` makes, without the time of day."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from deploy.packaging.reproducible import gz, tar_of
from deploy.packaging.source import NAME, chart_version

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.packaging.source import Source

CHART = f"deploy/helm/{NAME}"


def build(source: Source, folder: Path, output: Path) -> Path:
    """Build the archive, with the version of rotator for its own and for the image's tag."""
    place = folder / "chart"
    shutil.copytree(source.folder / CHART, place)  # links to the project's other files are followed
    about = place / "Chart.yaml"
    version = chart_version(source.version)
    about.write_text(with_version(about.read_text(), version, source.version))
    archive = output / f"{NAME}-{version}.tgz"
    archive.write_bytes(gz(tar_of(place, source.epoch, prefix=f"{NAME}/")))
    return archive


def with_version(text: str, version: str, application: str) -> str:
    """Return Chart.yaml with the chart's version and rotator's; the one in the tree has none."""
    return text.replace("version: 0.0.0\n", f"version: {version}\n").replace(
        'appVersion: "0.0.0"\n', f'appVersion: "{application}"\n'
    )
