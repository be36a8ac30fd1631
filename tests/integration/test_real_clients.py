"""What we publish is what real clients read: skopeo, podman, and docker with a real engine."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from rotator.core.docker_config import DockerConfig, decode, encode
from rotator.core.docker_merge import merge
from rotator.core.model import Credential, Secret
from tests.support import NOW, need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.docker_engine import DockerEngine
    from tests.servers.docker_registry import DockerRegistry

PASSWORD = "s3cr3t-at-the-registry"


class Client(Protocol):
    """Pulls an image with a docker config file; returns what it printed if that failed."""

    def __call__(self, config: Path, image: str) -> str | None:
        """Return None where the registry let it in."""
        ...


def command(*arguments: object, **environment: str) -> str | None:
    """Run a client without this machine's configuration; return what it printed if it failed."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return (done.stdout + done.stderr) if done.returncode else None


def docker(engine: DockerEngine, config: Path, *arguments: str) -> str | None:
    """Run the Docker CLI with this docker config, whose name must be `config.json`."""
    environment = {**engine.environment, "DOCKER_CONFIG": str(config.parent)}
    return command("docker", *arguments, **environment)


@pytest.fixture(params=["skopeo", "podman", "docker"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Return each client in turn."""
    name: str = request.param
    if name == "docker":
        engine: DockerEngine = request.getfixturevalue("docker_engine")
        yield lambda config, image: docker(engine, config, "pull", "--quiet", image)
        return
    program = [need(name, name)]
    login = ["--tls-verify=false", "--authfile"]
    if name == "skopeo":
        yield lambda config, image: command(
            *program, "inspect", *login, config, f"docker://{image}"
        )
        return
    # Podman refuses a runroot of more than 50 characters, which tmp_path has.
    with tempfile.TemporaryDirectory(prefix="p") as folder:
        program += ["--root", f"{folder}/root", "--runroot", folder, "--storage-driver", "vfs"]
        yield lambda config, image: command(*program, "pull", "--quiet", *login, config, image)


@pytest.fixture(params=["basic_registry", "token_registry"])
def registry(request: pytest.FixtureRequest) -> DockerRegistry:
    """Return a registry of each kind in turn."""
    found: DockerRegistry = request.getfixturevalue(request.param)
    return found


def published(path: Path, before: str, *credentials: Credential) -> Path:
    """Write what a rotator would publish over `before`."""
    path.write_text(encode(merge(decode(before), credentials).config))
    return path


def login(registry: str, user: str, password: str = PASSWORD) -> Credential:
    """Return a credential without an end."""
    return Credential(registry, user, Secret(password), NOW)


def entry(text: str) -> dict[str, str]:
    """Return an entry for `user:password`."""
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_lets_the_right_one_in(client: Client, registry: DockerRegistry, tmp_path: Path) -> None:
    """Every client pulls with a document of ours, and is refused with a wrong password in it."""
    user = registry.new_user(PASSWORD)
    image = registry.push_image(user)
    path = tmp_path / "config.json"
    assert client(published(path, "{}", login(registry.host, user)), image) is None
    failed = client(published(path, "{}", login(registry.host, user, "s3cr3t-wrong")), image)
    assert failed is not None
    assert "unauthorized" in failed.lower()


@pytest.mark.parametrize(
    "password", ["s3cr3t-:a:b:", "s3cr3t-ü€😀", 's3cr3t-"\\/ <>?', "s3cr3t-" * 9]
)
def test_any_password(
    client: Client, basic_registry: DockerRegistry, tmp_path: Path, password: str
) -> None:
    """Passwords with colons, quotes and letters of any alphabet arrive whole."""
    user = basic_registry.new_user(password)
    image = basic_registry.push_image(user)
    config = published(tmp_path / "config.json", "{}", login(basic_registry.host, user, password))
    assert client(config, image) is None


NEIGHBOURS: dict[str, dict[str, Any]] = {
    "many and long": {f"r{n}.example.com": entry("AWS:" + "x" * 3000) for n in range(30)},
    "malformed": {f"r{n}.example.com": {"auth": "?"} for n in range(9)},
    "no colon": {"r.example.com": {"auth": "YWJj"}},
    "unpadded": {"r.example.com": {"auth": "YTpiYw"}},
    "wrong type": {"r.example.com": {"auth": 1}},
    "nulls": {"r.example.com": None, "s.example.com": {"auth": None}},
    "other case": {"r.example.com": {"Auth": "?"}, "s.example.com": {"AUTH": 5}},
    "in a store": {"r.example.com": {}},
    "tokens": {"r.example.com": {"identitytoken": "x"}, "s.example.com": {"registrytoken": "x"}},
    "plain": {"r.example.com": {"username": "a", "password": "b"}},
    "line break": {"r.example.com": {"auth": "YTpi\nYw=="}},
    "not UTF-8": {"r.example.com": {"auth": base64.b64encode(b"\xff:\xff").decode()}},
}


@pytest.mark.parametrize("neighbours", NEIGHBOURS)
def test_neighbours(
    client: Client, basic_registry: DockerRegistry, tmp_path: Path, neighbours: str
) -> None:
    """Whatever other people's entries are like, ours works, time after time."""
    user = basic_registry.new_user(PASSWORD)
    image = basic_registry.push_image(user)
    before = json.dumps({"auths": NEIGHBOURS[neighbours], "unknown": {"x": [1]}})
    config = published(tmp_path / "config.json", before, login(basic_registry.host, user))
    assert [client(config, image) for _ in range(3)] == [None] * 3


@pytest.mark.parametrize("prefix", ["http://", "https://"])
def test_replaces_other_names(
    client: Client, basic_registry: DockerRegistry, tmp_path: Path, prefix: str
) -> None:
    """An old entry for the same registry under another name is not the one that is used."""
    user = basic_registry.new_user(PASSWORD)
    image = basic_registry.push_image(user)
    old = json.dumps({"auths": {f"{prefix}{basic_registry.host}/v2/": entry("old:s3cr3t-old")}})
    config = published(tmp_path / "config.json", old, login(basic_registry.host, user))
    assert [client(config, image) for _ in range(3)] == [None] * 3


def test_keeps_a_neighbour_that_works(
    client: Client, basic_registry: DockerRegistry, token_registry: DockerRegistry, tmp_path: Path
) -> None:
    """Publishing one registry's credential leaves another's entry working."""
    user, other = basic_registry.new_user(PASSWORD), token_registry.new_user("s3cr3t-other")
    before = encode(DockerConfig({token_registry.host: entry(f"{other}:s3cr3t-other")}))
    config = published(tmp_path / "config.json", before, login(basic_registry.host, user))
    assert client(config, basic_registry.push_image(user)) is None
    assert client(config, token_registry.push_image(other)) is None


def test_takes_over_what_docker_login_wrote(
    docker_engine: DockerEngine, basic_registry: DockerRegistry, tmp_path: Path
) -> None:
    """What `docker login` wrote is read as it was meant, and published again just the same."""
    user = basic_registry.new_user(PASSWORD)
    # Without any entry docker would put the login into `pass`, where that is installed.
    before = encode(DockerConfig({"other.example.com": entry("a:s3cr3t-b")}))
    config = published(tmp_path / "config.json", before)
    words = ("login", "-u", user, "-p", PASSWORD, basic_registry.host)
    assert docker(docker_engine, config, *words) is None
    written = decode(config.read_text())
    assert written.logins()[basic_registry.host] == (user, Secret(PASSWORD))
    assert merge(written, [login(basic_registry.host, user)]).config == written
