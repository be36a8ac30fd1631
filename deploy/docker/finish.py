# ruff: noqa: INP001  a script of the image, in no package
"""Makes the installed environment ready for the image; run by that environment's own Python.

Removes the AWS services that rotator never calls (nine tenths of botocore) and writes down what is
installed as a CycloneDX bill of materials (https://cyclonedx.org/docs/1.6/json/).
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from importlib.metadata import distributions
from pathlib import Path

AWS_SERVICES = re.compile(r"ecr|ecr-public|sts|sso|sso-oidc|signin")
BILL = "sbom.cdx.json"


def remove_services(data: Path) -> None:
    """Remove the descriptions of the services that rotator never calls from an SDK's data."""
    for entry in data.iterdir() if data.is_dir() else ():
        if entry.is_dir() and not AWS_SERVICES.fullmatch(entry.name):
            shutil.rmtree(entry)


def bill_of_materials() -> dict[str, object]:
    """Return everything that is installed here, in alphabetical order."""
    components = [
        {
            "type": "application" if name == "registry-rotator" else "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}",
        }
        for name, version in sorted((found.name, found.version) for found in distributions())
    ]
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}


def main() -> None:
    """Trim the environment that runs this, and describe it."""
    for package in ("botocore", "boto3"):
        specification = importlib.util.find_spec(package)
        if specification is None or specification.origin is None:
            raise SystemExit(f"{package} is not installed here")
        remove_services(Path(specification.origin).parent / "data")
    text = json.dumps(bill_of_materials(), indent=2)
    (Path(sys.prefix) / BILL).write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
