"""The Debian package on hosts with systemd: installed, upgraded, removed, purged, as documented."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from deploy.packaging.source import debian_version
from rotator import __version__
from tests.e2e.systemd_host import PUBLISHED, Host
from tests.e2e.test_installed_wheel import NEW, OLD, documented
from tests.servers.debian_root import debian_root
from tests.servers.dist import OLD_VERSION
from tests.servers.systemd_machine import SystemdMachine
from tests.support import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.dist import Dist

pytestmark = pytest.mark.timeout(600)

RELEASE = "/srv/release"
JOURNAL = "/var/lib/rotator/host.json"
KEY = "/var/lib/rotator/fingerprint.key"


class PackagedHost:
    """A host that gets rotator from its package alone."""

    def __init__(self, machine: SystemdMachine, old: Dist, new: Dist) -> None:
        self.machine = machine
        self.packages = {OLD_VERSION: old, __version__: new}

    def install(self, version: str) -> str:
        """Type what the documentation says, in a directory with the package."""
        release = self.machine.root / RELEASE.strip("/")
        shutil.rmtree(release, ignore_errors=True)
        release.mkdir(parents=True)
        shutil.copy(self.packages[version].one("*_amd64.deb"), release)
        block = documented("apt-get install", debian_version(version))
        script = f"cd {RELEASE}; DEBIAN_FRONTEND=noninteractive {block}"
        said = self.machine.run("sh", "-ec", script)
        assert self.version() == version
        return said

    def version(self) -> str:
        """Return what the installed program says of itself."""
        return self.machine.run("rotator", "--version").split()[-1]

    def has(self, path: str) -> bool:
        """Tell whether there is something."""
        return self.machine.attempt("test", "-e", path)[0] == 0


@pytest.fixture(params=[OLD, NEW])
def packaged(
    request: pytest.FixtureRequest, tmp_path: Path, dist: Dist, old_dist: Dist
) -> Iterator[PackagedHost]:
    """Give a booted machine without rotator."""
    folder = tmp_path / "machine"
    folder.mkdir()
    with SystemdMachine(folder, [debian_root(request.param)]) as machine:
        yield PackagedHost(machine, old_dist, dist)


def test_from_the_first_day_to_the_last(packaged: PackagedHost) -> None:
    """A first rotation, an upgrade that keeps everything, a removal that leaves what is yours."""
    machine = packaged.machine
    said = packaged.install(OLD_VERSION)
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

    packaged.install(__version__)
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
