"""What a release consists of, and that it is the same each time."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.version import Version

from deploy.packaging import packages
from deploy.packaging.source import PROJECT, chart_version, debian_version
from rotator import __version__
from tests.servers.dist import build, made_of
from tests.support import need

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.dist import Dist

# It builds everything, twice, where nothing is in the cache.
pytestmark = pytest.mark.timeout(600)

LOCK = PROJECT / "requirements.txt"


def test_everything_is_there(dist: Dist) -> None:
    """What a release consists of, each with its sum, and nothing else."""
    name, version = "registry-rotator", __version__
    debian, chart = debian_version(version), chart_version(version)
    assert {path.name for path in dist.folder.iterdir()} == {
        f"registry_rotator-{version}-py3-none-any.whl",
        f"registry_rotator-{version}.tar.gz",
        f"{name}_{debian}_amd64.deb",
        f"{name}_{debian}_arm64.deb",
        f"{name}-{version}-image.tar",
        f"{name}-{version}-image.cdx.json",
        f"{name}-{version}.cdx.json",
        f"{name}-{chart}.tgz",
        "requirements.txt",
        "SHA256SUMS",
    }
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=dist.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count(": OK") == 9


def test_twice_the_same(dist: Dist, tmp_path: Path) -> None:
    """Built again, at another time and in another place, it is the same to the byte."""
    given = "ROTATOR_TEST_DIST" in os.environ
    again = build(tmp_path / "again")
    assert given or dist.folder.name.endswith(made_of()), "a file or HEAD changed meanwhile"
    assert (again.folder / "SHA256SUMS").read_text() == (dist.folder / "SHA256SUMS").read_text()
    shutil.rmtree(again.folder)


def test_the_wheel_is_rotator_alone(dist: Dist) -> None:
    """Nothing but the package and its notes; what the index shows is right."""
    with zipfile.ZipFile(dist.one("*.whl")) as wheel:
        tops = {name.partition("/")[0] for name in wheel.namelist()}
        (notes,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
        text = wheel.read(notes).decode()
    assert tops == {"rotator", f"registry_rotator-{__version__}.dist-info"}
    for line in (
        "Name: registry-rotator",
        f"Version: {__version__}",
        "Requires-Python: >=3.11",
        *(f"Classifier: Programming Language :: Python :: 3.{minor}" for minor in (11, 13, 14)),
    ):
        assert f"\n{line}\n" in f"\n{text}"


def test_the_version_is_in_one_place() -> None:
    """Only the package knows it; the examples' image tags are those of `make release`."""
    pyproject = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert "version" not in pyproject["project"]
    tags = set()
    for path in [
        *PROJECT.glob("deploy/**/*"),
        *PROJECT.glob("systemd/**/*"),
        *PROJECT.glob("templates/*"),
    ]:
        if path.suffix in {".yaml", ".md", ".yml", ".container", ".service"}:
            text = path.read_text()
            tags |= set(re.findall(r"/rotator:(\d[\w.]*)|newTag: (\S+)", text))
    assert {one or other for one, other in tags} == {__version__}


def test_what_comes_before_a_release() -> None:
    """Debian and Helm sort it before the release, as Python does, so that a host upgrades to it."""
    dpkg = need("dpkg", "dpkg")
    for older, newer in pairwise(["1.2.2", "1.2.3.dev0", "1.2.3rc1", "1.2.3rc2", "1.2.3"]):
        assert Version(older) < Version(newer)
        order = [dpkg, "--compare-versions", debian_version(older), "lt", debian_version(newer)]
        assert subprocess.run(order, check=False).returncode == 0, order
    assert chart_version("1.2.3.dev0") == "1.2.3-dev0"
    assert chart_version("1.2.3rc1") == "1.2.3-rc1"
    assert chart_version("1.2.3") == "1.2.3"


def test_the_lock_is_what_the_project_asks_for() -> None:
    """Everything that rotator runs on is in it, once, with hashes, and no address."""
    text = LOCK.read_text()
    locked = {one.name: one for one in packages.locked(text)}
    pyproject = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    wanted = {re.split(r"[^a-z0-9-]", one)[0] for one in pyproject["project"]["dependencies"]}
    assert {name for name, one in locked.items() if "registry-rotator" in one.parents} == wanted
    assert all(one.hashes for one in locked.values())
    assert "://" not in text
    assert "index" not in text
    constraints = dict(
        line.lower().replace("_", "-").split("==")
        for line in (PROJECT / "constraints.txt").read_text().splitlines()
    )
    assert {name: constraints[name] for name in locked} == {
        name: one.version for name, one in locked.items()
    }


@pytest.mark.parametrize("kind", ["", "-image"], ids=["wheel", "image"])
def test_the_bill_of_materials(dist: Dist, kind: str) -> None:
    """It is CycloneDX, names every package, and what needs what."""
    text = dist.one(f"registry-rotator-{__version__}{kind}.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    found = {(one["name"], one["version"]) for one in document["components"]}
    locked = {(one.name, one.version) for one in packages.locked(LOCK.read_text())}
    assert locked <= found
    debian = {name for name, _ in found - locked}
    assert ("libc6" in debian, "python3.13-minimal" in debian) == ((kind != ""),) * 2
    needs = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    root = document["metadata"]["component"]["bom-ref"]
    assert any("/hvac@" in reference for reference in needs[root])
    assert needs.keys() == {root, *(f"pkg:pypi/{name}@{version}" for name, version in locked)}


def blobs(archive: Path) -> dict[str, bytes]:
    """Return the parts of an OCI archive, each of which is what its name says."""
    with tarfile.open(archive) as files:
        found = {one.name: files.extractfile(one) for one in files}
        parts = {name: stream.read() for name, stream in found.items() if stream is not None}
    for name, data in parts.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"
    return parts


def test_the_image_is_for_two_architectures(dist: Dist) -> None:
    """Both have the same files; programs and extension modules are each one's own."""
    parts = blobs(dist.one("*-image.tar"))

    def at(descriptor: dict[str, Any]) -> Any:
        return json.loads(parts[f"blobs/{descriptor['digest'].replace(':', '/')}"])

    index = at(json.loads(parts["index.json"])["manifests"][0])
    names, machines = {}, {}
    for one in index["manifests"]:
        architecture = one["platform"]["architecture"]
        manifest = at(one)
        assert at(manifest["config"])["architecture"] == architecture
        names[architecture], machines[architecture] = set(), set()
        for layer in manifest["layers"]:
            path = dist.folder / f"layer-{architecture}"
            path.write_bytes(parts[f"blobs/{layer['digest'].replace(':', '/')}"])
            with tarfile.open(path) as files:
                for entry in files:
                    name = re.sub(r"(x86[_-]64|aarch64)-linux-gnu|ld-linux-\S+", "ARCH", entry.name)
                    names[architecture].add(name)
                    stream = files.extractfile(entry) if entry.isfile() else None
                    head = stream.read(20) if stream else b""
                    if head[:4] == b"\x7fELF":
                        machines[architecture].add(int.from_bytes(head[18:20], "little"))
            path.unlink()
    assert machines == {"amd64": {62}, "arm64": {183}}
    assert {name for name in names["amd64"] ^ names["arm64"] if "usr/lib/rotator" in name} == set()


def test_dependencies_have_no_known_hole(record_property: pytest.RecordProperty) -> None:
    """`pip-audit` finds none; where its database can't be reached, the suite's summary says so."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--requirement", LOCK, "--disable-pip"),
            *("--require-hashes", "--timeout", "15", "--progress-spinner", "off"),
            *("--format", "json"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    found = json.loads(done.stdout)["dependencies"] if done.stdout.startswith("{") else []
    audited = [one for one in found if "vulns" in one]
    said = [one["skip_reason"] for one in found if "skip_reason" in one] or [done.stderr[-200:]]
    missed = f"; not looked over: {said[0]}" if len(audited) < len(found) or not found else ""
    record_property("pip-audit", f"{len(audited)} of {len(found)} packages looked over{missed}")
    assert [(one["name"], one["vulns"]) for one in audited if one["vulns"]] == []
