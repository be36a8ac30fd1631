"""The Debian package on hosts with systemd: installed, upgraded, removed, purged, as documented."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from deploy.packaging.source import debian_version
from rotator import __version__
from tests.e2e.systemd_host import PUBLISHED, Host
from tests.e2e.test_installed_wheel import NEW, OLD, documented
from tests.fixtures.version_0_1_0 import put_0_1_0
from tests.servers.debian_root import debian_root
from tests.servers.systemd_machine import SystemdMachine
from tests.support import need, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.dist import Dist

pytestmark = pytest.mark.timeout(600)

RELEASE = "/srv/release"
EARLIER = "0.0.9"
"""What the package to upgrade from calls itself."""
JOURNAL = "/var/lib/rotator/host.json"
KEY = "/var/lib/rotator/fingerprint.key"


class PackagedHost:
    """A host that gets rotator from its package alone."""

    def __init__(self, machine: SystemdMachine) -> None:
        self.machine = machine

    def install(self, package: Path, block: str = "apt-get install") -> str:
        """Type a block of the documentation, in a directory with the package.

        `make uninstall` is typed elsewhere, in a checkout.
        """
        release = self.machine.root / RELEASE.strip("/")
        shutil.rmtree(release, ignore_errors=True)
        release.mkdir(parents=True)
        shutil.copy(package, release)
        words = documented(block, package.name.split("_")[1]).removeprefix("make uninstall\n")
        script = f"export DEBIAN_FRONTEND=noninteractive; cd {RELEASE}\n{words}"
        return self.machine.run("sh", "-ec", script)

    def version(self) -> str:
        """Return what the installed program says of itself."""
        return self.machine.run("rotator", "--version").split()[-1]

    def has(self, path: str) -> bool:
        """Tell whether there is something."""
        return self.machine.attempt("test", "-e", path)[0] == 0


@pytest.fixture(scope="module")
def package(dist: Dist) -> Path:
    """Give the Debian package."""
    return dist.one("*_amd64.deb")


@pytest.fixture(scope="module")
def earlier(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the same as a package of an earlier version, to upgrade from."""
    folder = tmp_path_factory.mktemp("earlier")
    root = folder / "root"
    subprocess.run([need("dpkg-deb", "dpkg"), "--raw-extract", package, root], check=True)
    for path, before, after in (
        ("DEBIAN/control", debian_version(__version__), EARLIER),
        ("usr/lib/rotator/rotator/__init__.py", __version__, EARLIER),
    ):
        file = root / path
        file.write_text(file.read_text().replace(before, after))
    made = folder / f"registry-rotator_{EARLIER}_amd64.deb"
    pack = ["dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "--build", root, made]
    subprocess.run(pack, check=True, capture_output=True)
    shutil.rmtree(root)
    return made


@pytest.fixture(params=[OLD, NEW])
def packaged(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PackagedHost]:
    """Give a booted machine without rotator."""
    folder = tmp_path / "machine"
    folder.mkdir()
    with SystemdMachine(folder, [debian_root(request.param)]) as machine:
        yield PackagedHost(machine)


def test_from_the_first_day_to_the_last(
    packaged: PackagedHost, package: Path, earlier: Path
) -> None:
    """A first rotation, an upgrade that keeps everything, a removal that leaves what is yours."""
    machine = packaged.machine
    said = packaged.install(earlier)
    assert packaged.version() == EARLIER
    assert "rotator check --offline && systemctl enable --now rotator" in said
    assert machine.attempt("systemctl", "is-enabled", "rotator")[1].strip() == "disabled"
    for path in (
        "/etc/rotator/rotator.yaml",
        "/usr/share/man/man1/rotator.1.gz",
        "/usr/share/bash-completion/completions/rotator",
        "/usr/share/doc/registry-rotator/config/rotator.yaml",
        "/usr/lib/rotator/rotator/__pycache__",
    ):
        assert packaged.has(path), path

    host = Host(machine)
    host.start()
    machine.run("systemctl", "enable", "rotator")
    first, journal, key = (read(host, path) for path in (PUBLISHED, JOURNAL, KEY))
    assert "extra.example.com" in first
    started = host.main_pid()

    packaged.install(package)
    assert packaged.version() == __version__
    until(lambda: host.show("ActiveState") == "active", 60, "the new version to be up")
    assert host.main_pid() != started
    assert host.show("NRestarts") == "0"
    assert read(host, PUBLISHED) == first
    assert read(host, KEY) == key
    assert credentials(read(host, JOURNAL)) == credentials(journal)
    assert "set aside" not in host.journal()
    assert "docker_config" in read(host, "/etc/rotator/rotator.yaml"), "the configuration is gone"
    code, status = machine.attempt("rotator", "status")
    assert code in {0, 10}, status
    host.run("systemctl", "start", "rotator-once")

    machine.run("apt-get", "remove", "-y", "registry-rotator")
    assert (
        machine.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "rotator*") == ""
    )
    assert not packaged.has("/usr/bin/rotator")
    assert not packaged.has("/usr/lib/rotator")
    assert all(map(packaged.has, (PUBLISHED, JOURNAL, "/etc/rotator/rotator.yaml")))

    machine.run("apt-get", "purge", "-y", "registry-rotator")
    left = machine.run("sh", "-c", "find /etc /usr /var /opt /run -xdev -iname '*rotator*' | sort")
    mine = (
        "/etc/rotator",
        "/etc/systemd/system",
        "/var/log",
        "/run/systemd",
    )  # what this test made
    assert [line for line in left.split() if not line.startswith(mine)] == []
    assert not packaged.has("/etc/rotator/rotator.yaml")
    assert packaged.has(PUBLISHED)
    assert machine.attempt("systemctl", "is-enabled", "rotator")[1].strip() != "enabled"


def read(host: Host, path: str) -> str:
    """Return what a file on the host holds."""
    return host.file(path).read_text()


def credentials(journal: str) -> object:
    """Return what a journal knows of credentials."""
    return json.loads(journal)["credentials"]


def test_from_make_install_of_0_1_0(other_machine: SystemdMachine, package: Path) -> None:
    """The documented way from `make install` to the package; the journal of 0.1.0 goes on."""
    packaged, host = PackagedHost(other_machine), Host(other_machine)
    put_0_1_0(host.file("/opt/rotator"))
    host.start()
    assert packaged.version() == "0.1.0"
    first, journal, key = (read(host, path) for path in (PUBLISHED, JOURNAL, KEY))
    assert json.loads(journal)["version"] == 1

    other_machine.installer("uninstall")
    packaged.install(package, "make uninstall")
    assert packaged.version() == __version__
    assert read(host, PUBLISHED) == first
    assert read(host, KEY) == key
    assert ends(read(host, JOURNAL)) == ends(journal)
    assert "set aside" not in host.journal()


def ends(journal: str) -> object:
    """Return the credentials that a journal knows, by what every version writes of them."""
    keys = ("fingerprint", "source", "issued_at", "expires_at")
    return {
        registry: [{key: one[key] for key in keys} for one in known]
        for registry, known in json.loads(journal)["credentials"].items()
    }
