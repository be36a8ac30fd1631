"""Container images as OCI archives (https://github.com/opencontainers/image-spec), made by hand.

No registry, daemon or root is needed, and nothing in them depends on when or where it was done.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deploy.packaging.reproducible import gz

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class Image:
    """One image for one architecture: its layers as tar, each named by what made it."""

    architecture: str
    layers: Mapping[str, bytes]
    config: Mapping[str, Any]


@dataclass
class Blobs:
    """The parts of an archive, named by their hashes."""

    found: dict[str, bytes] = field(default_factory=dict)

    def add(self, data: bytes, kind: str) -> dict[str, Any]:
        """Keep a part; return how others refer to it."""
        digest = hashlib.sha256(data).hexdigest()
        self.found[digest] = data
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    def add_json(self, document: object, kind: str) -> dict[str, Any]:
        """Keep a document."""
        return self.add(json.dumps(document, separators=(",", ":"), sort_keys=True).encode(), kind)


def write(
    images: Iterable[Image], name: str, annotations: Mapping[str, str], epoch: int, to: Path
) -> None:
    """Write an archive with one image for several architectures."""
    blobs = Blobs()
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    manifests = []
    for image in images:
        platform = {"architecture": image.architecture, "os": "linux"}
        config = {
            **platform,
            "created": created,
            "config": dict(image.config),
            "rootfs": {
                "type": "layers",
                "diff_ids": [
                    f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in image.layers.values()
                ],
            },
            "history": [{"created": created, "created_by": maker} for maker in image.layers],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": blobs.add_json(config, CONFIG),
            "layers": [blobs.add(gz(layer), LAYER) for layer in image.layers.values()],
            "annotations": dict(annotations),
        }
        manifests.append({**blobs.add_json(manifest, MANIFEST), "platform": platform})
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": manifests,
        "annotations": dict(annotations),
    }
    named = {
        **blobs.add_json(index, INDEX),
        "annotations": {"org.opencontainers.image.ref.name": name},
    }
    files = {f"blobs/sha256/{digest}": data for digest, data in blobs.found.items()}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [named]}).encode()
    files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    with tarfile.open(to, "w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mtime = len(files[path]), epoch
            archive.addfile(entry, io.BytesIO(files[path]))
