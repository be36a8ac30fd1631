"""Bills of materials in CycloneDX's form (https://cyclonedx.org/docs/1.6/json/)."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deploy.packaging.source import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.packaging.packages import Locked
    from deploy.packaging.source import Source

_SPACE = uuid.UUID("6f0f3a52-6a0c-4d0e-9c1b-2f5f6f1c7a10")
"""The namespace of our serial numbers: any, as long as it stays the same."""


def bill(
    source: Source, kind: str, packages: Iterable[Locked], system: Iterable[tuple[str, str, str]]
) -> bytes:
    """Return the bill of rotator as a wheel or an image (`kind`).

    `packages` are Python's; `system` are Debian's: name, version and architecture.
    """
    packages = list(packages)
    root = f"pkg:pypi/{NAME}@{source.version}"
    references = {one.name: f"pkg:pypi/{one.name}@{one.version}" for one in packages}
    needs: dict[str, list[str]] = {reference: [] for reference in (root, *references.values())}
    for one in packages:
        for parent in one.parents:
            needs[references.get(parent, root)].append(references[one.name])
    components = [
        {
            "type": "library",
            "bom-ref": references[one.name],
            "name": one.name,
            "version": one.version,
            "purl": references[one.name],
        }
        for one in packages
    ]
    for name, version, architecture in sorted(set(system)):
        purl = f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}"
        reference = f"{purl}?arch={architecture}"
        components.append(
            {
                "type": "library",
                "bom-ref": reference,
                "name": name,
                "version": version,
                "purl": reference,
            }
        )
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_SPACE, f'{kind} {source.revision}')}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(source.epoch, UTC).isoformat(),
            "component": {
                "type": "container" if kind == "image" else "application",
                "bom-ref": root,
                "name": NAME,
                "version": source.version,
                "purl": root,
                "licenses": [{"license": {"id": "MIT"}}],
            },
        },
        "components": components,
        "dependencies": [
            {"ref": reference, "dependsOn": sorted(set(wanted))}
            for reference, wanted in sorted(needs.items())
        ],
    }
    return f"{json.dumps(document, indent=2)}\n".encode()
