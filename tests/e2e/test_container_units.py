"""The units that run the image: Podman's quadlets and Docker's, as far as they run without systemd.

What systemd would execute is executed, with the host's directories below one of the test's own.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rotator import __version__
from rotator.core import docker_config
from tests.fakes.registry import BasicRegistry
from tests.fixtures.version_0_1_0 import run_0_1_0
from tests.servers import quadlet
from tests.servers.openbao import unique
from tests.support import MARKED, need, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.dist import Dist
    from tests.servers.docker_engine import DockerEngine
    from tests.servers.openbao import OpenBao

pytestmark = pytest.mark.timeout(600)

UNITS = Path(__file__).parents[2] / "systemd"
NAMED = f"registry.example.com/rotator:{__version__}"
LOADED = f"localhost/rotator:{__version__}"
PLACES = ("/etc/rotator", "/etc/credstore", "/var/lib/rotator", "/run/rotator-credentials",
          "/opt/.docker")  # fmt: skip
LIMITS = ["--ulimit=nofile=1024:4096", "--ulimit=nproc=1000:1000"]
"""What a machine without limits of its own to give away needs."""


def lines(unit: str, key: str) -> list[str]:
    """Return what a unit has for a key, each on one line, as systemd reads it."""
    joined = unit.replace("\\\n", " ")
    found = re.findall(rf"^{key}=(.*)$", joined, re.MULTILINE)
    return [line.replace("$$", "$").replace("%N", "rotator") for line in found]


def below(root: Path, text: str) -> str:
    """Return a command with a host's directories below this one."""
    for place in PLACES:
        text = re.sub(rf"(?<![\w/.:]){re.escape(place)}(?=[:/\s]|$)", f"{root}{place}", text)
    return text


class Site:
    """The directories of a host, a Vault with a password, and a registry that takes it."""

    def __init__(self, root: Path, bao: OpenBao, registry: BasicRegistry) -> None:
        self.root = root
        path = unique("container")
        bao.put(f"secret/data/{path}", {"username": "robot", "password": f"{MARKED}container"})
        policy = bao.policy(f'path "secret/data/{path}" {{ capabilities = ["read"] }}')
        for place in ("etc/rotator", "etc/credstore"):
            (root / place).mkdir(parents=True)
        source = {
            "type": "vault",
            "address": bao.url,
            "auth": {"method": "token", "token_file": "vault-token"},
            "path": f"secret/{path}",
            "registry": registry.host,
        }
        rotation: dict[str, Any] = {
            "name": "container",
            "sources": [source],
            "targets": [{"type": "file", "path": "/opt/.docker/config.json"}],
        }
        (root / "etc/rotator/rotator.yaml").write_text(
            json.dumps({"version": 1, "rotations": [rotation]})
        )
        secret = root / "etc/credstore/vault-token"
        secret.write_text(bao.token(policy))
        secret.chmod(0o600)
        for path_above in (root, *root.parents):
            if path_above.owner() == "root" and path_above.is_relative_to("/tmp"):  # noqa: S108
                path_above.chmod(path_above.stat().st_mode | 0o011)

    def here(self, text: str) -> str:
        """Return a command with the host's directories below this one."""
        return below(self.root, text).replace(NAMED, LOADED)

    def prepare(self, unit: str) -> None:
        """Do what the unit does before it starts the container."""
        for line in lines(unit, "ExecStartPre"):
            if "/usr/bin/docker" not in line:
                subprocess.run(shlex.split(self.here(line)), check=True)

    def published(self) -> set[str]:
        """Return the passwords in the file that jobs mount."""
        path = self.root / "opt/.docker/config.json"
        assert path.stat().st_uid == 65532
        logins = docker_config.decode(path.read_text()).logins()
        return {secret.reveal() for _, secret in logins.values()}


@pytest.fixture
def site(tmp_path: Path, openbao: OpenBao) -> Iterator[Site]:
    """Give a host that has configuration and secret, and nothing else of rotator."""
    with BasicRegistry({"robot": f"{MARKED}container"}) as registry:
        yield Site(tmp_path / "host", openbao, registry)


@pytest.fixture(scope="module")
def podman(dist: Dist, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give a podman that has the image."""
    need("runc", "runc")
    # Podman refuses a runroot of more than 50 characters.
    folder = tmp_path_factory.mktemp("p")
    run = Path(f"/tmp/rp{os.getpid()}")  # noqa: S108  its own
    command = [need("podman", "podman"), "--root", str(folder), "--runroot", str(run)]
    command += ["--runtime", "runc", "--storage-driver", "vfs"]
    archive = str(dist.one("*-image.tar"))
    subprocess.run([*command, "load", "--quiet", "--input", archive], check=True)
    return command


def podman_arguments(podman: list[str], site: Site, unit: str) -> list[str]:
    """Return the command of a unit that quadlet made, as this machine can run it."""
    (line,) = lines(unit, "ExecStart")
    words = shlex.split(site.here(line))
    assert words[:2] == ["/usr/bin/podman", "run"]
    away = {"--cgroups=split", "-d", "--sdnotify=container", "--replace"}
    left = [word for word in words[2:] if word not in away and not word.startswith("--cidfile")]
    return [*podman, "run", *LIMITS, *left]


def test_podman_run_once(podman: list[str], site: Site) -> None:
    """The emergency command publishes with the host's secret, and again when typed again."""
    unit = quadlet.units(sorted(UNITS.glob("podman/*.container")))["rotator-once.service"]
    for _ in range(2):
        site.prepare(unit)
        done = subprocess.run(
            podman_arguments(podman, site, unit), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert MARKED not in done.stdout + done.stderr
        assert site.published() == {f"{MARKED}container"}


def test_podman_after_0_1_0_on_the_host(podman: list[str], site: Site) -> None:
    """What 0.1.0 left on the host is handed over as documented, and its journal goes on."""
    journal = site.root / "var/lib/rotator/container.json"
    for place in ("var/lib/rotator", "opt/.docker"):
        (site.root / place).mkdir(parents=True, mode=0o700)
    document = json.loads((site.root / "etc/rotator/rotator.yaml").read_text())
    (rotation,) = document["rotations"]
    rotation["sources"][0]["auth"]["token_file"] = str(site.root / "etc/credstore/vault-token")
    rotation["targets"][0]["path"] = str(site.root / "opt/.docker/config.json")
    old = site.root / "old.yaml"
    old.write_text(json.dumps({**document, "state_dir": str(journal.parent)}))
    done = run_0_1_0("--config", old, "run-once")
    assert done.returncode == 0, done.stderr
    before = json.loads(journal.read_text())
    (hand_over,) = re.findall(r"`(chown -R 65532[^`]+)`", documented_page())
    subprocess.run(shlex.split(site.here(hand_over)), check=True)

    unit = quadlet.units(sorted(UNITS.glob("podman/*.container")))["rotator-once.service"]
    site.prepare(unit)
    done = subprocess.run(
        podman_arguments(podman, site, unit), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    now = json.loads(journal.read_text())
    assert (before["version"], now["version"]) == (1, 2)
    assert not list(journal.parent.glob("*.set-aside"))
    ((first,),) = before["credentials"].values()
    ((known,),) = now["credentials"].values()
    assert known["issued_at"] == first["issued_at"]
    assert site.published() == {f"{MARKED}container"}


def documented_page() -> str:
    """Return the page that says how rotator is installed."""
    return (UNITS.parent / "deploy/README.md").read_text()


@pytest.mark.parametrize("kind", ["podman", "docker"])
def test_units_are_installed_and_removed(tmp_path: Path, kind: str) -> None:
    """The documented commands put the units where systemd finds them, and take them all away."""
    blocks = re.findall(r"^```sh\n(.*?)^```", documented_page(), re.MULTILINE | re.DOTALL)
    typed = [line for block in blocks for line in block.splitlines()]
    (install,) = [line for line in typed if f"systemd/{kind}/*" in line and "install " in line]
    (remove,) = [line for line in typed if line.startswith("rm ") and f"# {kind}" in line.lower()]
    (tmp_path / "etc/systemd/system").mkdir(parents=True)

    def type_here(line: str) -> None:
        here = line.replace(" /etc/", f" {tmp_path}/etc/")
        subprocess.run(["sh", "-ec", here], cwd=UNITS.parent, check=True)

    type_here(install)
    put = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert put == {path.name for path in (UNITS / kind).iterdir()}
    type_here(remove)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_podman_daemon(podman: list[str], site: Site) -> None:
    """The daemon publishes, reloads as its unit says, and ends in time."""
    unit = quadlet.units(sorted(UNITS.glob("podman/*.container")))["rotator.service"]
    assert lines(unit, "Type") == ["notify"]
    site.prepare(unit)
    run_and_end(
        podman_arguments(podman, site, unit),
        site,
        lambda line: [*podman, *shlex.split(line)[1:]],
        unit,
        [*podman, "stop", "--time", "12", "rotator"],
    )


def run_and_end(
    words: list[str],
    site: Site,
    translated: Callable[[str], list[str]],
    unit: str,
    stop: list[str],
    environment: dict[str, str] | None = None,
) -> None:
    """Start the daemon's container, reload it with what the unit has for that, and stop it."""
    env = {**os.environ, **(environment or {})}
    file = site.root / "opt/.docker/config.json"
    process = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        until(lambda: file.exists() or process.poll() is not None, 60, "the file to be published")
        assert site.published() == {f"{MARKED}container"}
        for line in lines(unit, "ExecReload"):
            subprocess.run(translated(line), env=env, check=True, capture_output=True)
        subprocess.run(stop, env=env, check=True, capture_output=True)
        assert process.wait(15) == 0
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def docker(dist: Dist, docker_engine: DockerEngine, tmp_path: Path) -> DockerEngine:
    """Give Docker with the image, copied by skopeo as the documentation says."""
    archive = tmp_path / "image.tar"
    copy = [
        "copy",
        "--quiet",
        f"oci-archive:{dist.one('*-image.tar')}",
        f"docker-archive:{archive}:{LOADED}",
    ]
    subprocess.run([need("skopeo", "skopeo"), *copy], check=True)
    docker_engine.docker("load", "--quiet", "--input", str(archive))
    archive.unlink()
    return docker_engine


def docker_arguments(docker: DockerEngine, site: Site, line: str) -> list[str]:
    """Return a command of a unit, as this machine can run it."""
    words = shlex.split(site.here(line.removeprefix("-")))
    assert words[0] == "/usr/bin/docker"
    return [need("docker", "docker.io"), *words[1:]]


def test_docker_run_once(docker: DockerEngine, site: Site) -> None:
    """The emergency command publishes with the host's secret."""
    unit = (UNITS / "docker/rotator-once.service").read_text()
    site.prepare(unit)
    (line,) = lines(unit, "ExecStart")
    done = subprocess.run(
        docker_arguments(docker, site, line),
        env={**os.environ, **docker.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.published() == {f"{MARKED}container"}


def test_docker_daemon(docker: DockerEngine, site: Site) -> None:
    """The daemon publishes, reloads as its unit says, and ends in time."""
    unit = (UNITS / "docker/rotator.service").read_text()
    site.prepare(unit)
    (line,) = lines(unit, "ExecStart")
    (stop,) = lines(unit, "ExecStop")
    run_and_end(
        docker_arguments(docker, site, line),
        site,
        lambda one: docker_arguments(docker, site, one),
        unit,
        docker_arguments(docker, site, stop),
        docker.environment,
    )
