"""GitLab's three ways to log in from Docker-in-Docker, each after a rotation, with a real Docker.

One rotation publishes to a file, a ConfigMap, a Secret and three group variables. What a job would
read from each is given to a real client, which pulls from a real registry whose password was
changed a moment before.
"""

from __future__ import annotations

import base64
import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.e2e.site import PROGRAM
from tests.fakes.gitlab_access import OWNER
from tests.fakes.kubernetes_world import World
from tests.support import MARKED, need, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.gitlab import FakeGitlab
    from tests.fakes.kubernetes import FakeKubernetes
    from tests.servers.docker_engine import DockerEngine
    from tests.servers.docker_registry import DockerRegistry
    from tests.servers.openbao import OpenBao

OLD, NEW = f"{MARKED}before-the-rotation", f"{MARKED}after-the-rotation"


@dataclass
class Everywhere:
    """All targets at once, and what a job reads from each."""

    place: Path
    bao: OpenBao
    registry: DockerRegistry
    gitlab: FakeGitlab
    cluster: World
    user: str
    image: str

    def rotate(self, password: str) -> None:
        """Change the password in the registry and in Vault, and run rotator."""
        self.registry.set_password(self.user, password)
        secret = {"username": self.user, "password": password}
        self.bao.put(f"secret/data/{self.user}", secret)
        done = subprocess.run(
            [PROGRAM, "--config", self.place / "rotator.yaml", "run-once"],
            env={"PATH": os.environ["PATH"], "HOME": str(self.place)},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    def variable(self, key: str) -> str:
        """Return a variable as a job of a project in the group gets it."""
        value = self.gitlab.effective("platform/any", key)
        assert value is not None
        return value

    def in_file(self) -> str:
        """Return what is mounted from the host."""
        return (self.place / "docker" / "config.json").read_text()

    def in_configmap(self) -> str:
        """Return what is mounted from the ConfigMap."""
        text: str = self.cluster.objects.get("configmaps", "ci", "docker")["data"]["config.json"]
        return text

    def in_secret(self) -> str:
        """Return what is mounted from the Secret."""
        data = self.cluster.objects.get("secrets", "ci", "docker")["data"]
        return base64.b64decode(data["config.json"]).decode()

    def in_variable(self) -> str:
        """Return what a job's script writes into its config.json."""
        script = 'mkdir -p "$HOME/.docker"; echo $DOCKER_AUTH_CONFIG > "$HOME/.docker/config.json"'
        home = self.place / "job"
        environment = {"HOME": str(home), "DOCKER_AUTH_CONFIG": self.variable("DOCKER_AUTH_CONFIG")}
        subprocess.run(["/bin/sh", "-c", script], env=environment, check=True)
        return (home / ".docker" / "config.json").read_text()


WHERE: dict[str, Callable[[Everywhere], str]] = {
    "2-file": Everywhere.in_file,
    "2-configmap": Everywhere.in_configmap,
    "2-secret": Everywhere.in_secret,
    "3-variable": Everywhere.in_variable,
}


@pytest.fixture
def everywhere(
    tmp_path: Path,
    openbao: OpenBao,
    basic_registry: DockerRegistry,
    fake_gitlab: FakeGitlab,
    fake_kubernetes: FakeKubernetes,
) -> Everywhere:
    """Publish a first password everywhere, then rotate."""
    (tmp_path / "docker").mkdir(mode=0o700)
    fake_gitlab.add_group("platform")
    fake_gitlab.add_project("platform/any")
    (tmp_path / "gitlab-token").write_text(fake_gitlab.add_token({"platform": OWNER}).text)
    (tmp_path / "vault-token").write_text(openbao.root)
    cluster = World(fake_kubernetes, tmp_path)
    user = basic_registry.new_user(OLD)
    image = basic_registry.push_image(user)
    group = {"type": "gitlab_variable", "url": fake_gitlab.url, "group": "platform"}
    group["token_file"] = "gitlab-token"
    login_part = {**group, "registry": basic_registry.host}
    cluster_object = {"namespace": "ci", "name": "docker", "kubeconfig": str(cluster.kubeconfig)}
    rotation = {
        "name": "everywhere",
        "sources": [
            {
                "type": "vault",
                "address": openbao.url,
                "auth": {"method": "token", "token_file": "vault-token"},
                "path": f"secret/{user}",
                "registry": basic_registry.host,
            }
        ],
        "targets": [
            {"type": "file", "path": str(tmp_path / "docker" / "config.json")},
            {"type": "kubernetes_configmap", **cluster_object},
            {"type": "kubernetes_secret", **cluster_object},
            group,
            {**login_part, "key": "DOCKER_REGISTRY_USER", "content": "username"},
            {**login_part, "key": "DOCKER_REGISTRY_PASS", "content": "password"},
        ],
    }
    document = {"version": 1, "state_dir": str(tmp_path / "state"), "rotations": [rotation]}
    (tmp_path / "rotator.yaml").write_text(yaml.safe_dump(document))
    found = Everywhere(tmp_path, openbao, basic_registry, fake_gitlab, cluster, user, image)
    found.rotate(OLD)
    return found


def docker(
    engine: DockerEngine, config: Path, *words: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the real Docker client on the real engine with this configuration directory."""
    return subprocess.run(
        ["docker", *words],
        env={**engine.environment, "DOCKER_CONFIG": str(config)},
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_way_works_after_a_rotation(
    everywhere: Everywhere, docker_engine: DockerEngine, tmp_path: Path
) -> None:
    """Each place gives the new password to the job: the pull works, and with the old one fails."""
    before = {name: read(everywhere) for name, read in WHERE.items()}
    everywhere.rotate(NEW)
    for name, read in WHERE.items():
        config = tmp_path / name
        config.mkdir()
        (config / "config.json").write_text(read(everywhere))
        pulled = docker(docker_engine, config, "pull", "--quiet", everywhere.image)
        assert pulled.returncode == 0, (name, pulled.stderr)
        (config / "config.json").write_text(before[name])
        refused = docker(docker_engine, config, "pull", "--quiet", everywhere.image)
        assert "unauthorized" in refused.stderr, name


def test_skopeo_reads_the_file_after_a_rotation(everywhere: Everywhere, tmp_path: Path) -> None:
    """Another client than Docker: the new file lets it in, the old one does not."""
    old = tmp_path / "old.json"
    old.write_text(everywhere.in_file())
    everywhere.rotate(NEW)

    def inspect(config: Path) -> subprocess.CompletedProcess[str]:
        words = ["inspect", "--tls-verify=false", "--authfile", config]
        return subprocess.run(
            [need("skopeo", "skopeo"), *words, f"docker://{everywhere.image}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert inspect(everywhere.place / "docker" / "config.json").returncode == 0
    assert "unauthorized" in inspect(old).stderr


def test_docker_login_works_after_a_rotation(
    everywhere: Everywhere, docker_engine: DockerEngine, tmp_path: Path
) -> None:
    """GitLab's option 1: username and password from two variables, through standard input."""
    everywhere.rotate(NEW)
    config = tmp_path / "login"
    config.mkdir()
    # With no entry at all, docker would choose a credential helper of this machine.
    (config / "config.json").write_text('{"auths":{"other.example.com":{}}}')
    user = everywhere.variable("DOCKER_REGISTRY_USER")
    password = everywhere.variable("DOCKER_REGISTRY_PASS")
    words = ["login", everywhere.registry.host, "--username", user, "--password-stdin"]
    logged_in = docker(docker_engine, config, *words, given=password)
    assert logged_in.returncode == 0, logged_in.stderr
    pulled = docker(docker_engine, config, "pull", "--quiet", everywhere.image)
    assert pulled.returncode == 0, pulled.stderr


def test_nothing_is_written_when_nothing_changes(everywhere: Everywhere) -> None:
    """A second run with the same password writes to none of the six targets."""
    everywhere.rotate(OLD)
    puts = everywhere.gitlab.count("PUT") + everywhere.gitlab.count("POST")
    writes = everywhere.cluster.fake.writes()
    inode = (everywhere.place / "docker" / "config.json").stat().st_ino
    everywhere.rotate(OLD)
    assert everywhere.gitlab.count("PUT") + everywhere.gitlab.count("POST") == puts
    assert everywhere.cluster.fake.writes() == writes
    assert (everywhere.place / "docker" / "config.json").stat().st_ino == inode


def test_the_daemon_warns_before_its_own_token_ends(everywhere: Everywhere) -> None:
    """GitLab's tokens end: the log says so 30 days ahead, with what to do, and no secret."""
    token = everywhere.gitlab.add_token({"platform": OWNER})
    token.expires_at = datetime.now(UTC).date() + timedelta(days=10)
    (everywhere.place / "gitlab-token").write_text(token.text)
    log = everywhere.place / "log"
    with log.open("wb") as stream:
        daemon = subprocess.Popen(
            [PROGRAM, "--config", everywhere.place / "rotator.yaml", "run"],
            env={"PATH": os.environ["PATH"], "HOME": str(everywhere.place)},
            stdout=stream,
            stderr=stream,
        )
    try:
        until(lambda: "access token ends soon" in log.read_text(), 30, "the warning")
    finally:
        daemon.terminate()
        daemon.wait(15)
    assert MARKED not in log.read_text()
