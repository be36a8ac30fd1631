"""One rotator asks ECR for a whole fleet: config/fleet-hub.yaml and fleet-host.yaml, for real."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from rotator.core import docker_config
from tests.e2e.site import PROGRAM
from tests.fakes.ecr import ACCESS_KEY, SECRET_KEY
from tests.servers.openbao import unique
from tests.support import MARKED, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.ecr import FakeEcr
    from tests.servers.openbao import OpenBao

CONFIG = Path(__file__).parents[2] / "config"
HOSTS = 3


class Fleet:
    """A hub and hosts, each a daemon with a place and a Vault token of its own."""

    def __init__(self, place: Path, bao: OpenBao, ecr: FakeEcr) -> None:
        self.place = place
        self.bao = bao
        self.ecr = ecr
        self.path = unique("fleet")
        self.logs: list[Path] = []

    @contextmanager
    def hub(self) -> Iterator[None]:
        """Run the hub, and wait until it has published.

        Its token may do what the example's comment says, and tidy up versions.
        """
        rights = {"data": ["create", "read", "update"], "metadata": ["read"], "destroy": ["update"]}
        document = self.example("fleet-hub.yaml", "hub", rights)
        (rotation,) = document["rotations"]
        rotation["sources"] = [{"type": "ecr", "region": "eu-west-1", "endpoint_url": self.ecr.url}]
        self.reach_vault(rotation["targets"][0])
        keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        with self.daemon("hub", document, keys):
            until(self.is_published, 30, "the hub to publish")
            yield

    @contextmanager
    def host(self, name: str) -> Iterator[Path]:
        """Run a host, which may read and knows no AWS; give the file that its jobs mount."""
        document = self.example("fleet-host.yaml", name, {"data": ["read"]})
        (rotation,) = document["rotations"]
        source = rotation["sources"][0]
        self.reach_vault(source)
        for key in ("client_cert_file", "client_key_file"):
            del source[key]
        file = self.place / name / "docker" / "config.json"
        file.parent.mkdir()
        rotation["targets"][0]["path"] = str(file)
        with self.daemon(name, document, {}):
            yield file

    def example(self, file: str, name: str, rights: dict[str, list[str]]) -> dict[str, Any]:
        """Return an example's document; its daemon gets a place and a token with these rights."""
        (self.place / name).mkdir()
        lines = [
            f'path "secret/{part}/{self.path}" {{ capabilities = {verbs} }}'.replace("'", '"')
            for part, verbs in rights.items()
        ]
        token = self.bao.token(self.bao.policy("\n".join(lines)))
        (self.place / name / "vault-token").write_text(token)
        document: dict[str, Any] = yaml.safe_load((CONFIG / file).read_text())
        document["state_dir"] = str(self.place / name / "state")
        document["rotations"][0].setdefault("schedule", {})["poll"] = "1s"
        return document

    def reach_vault(self, settings: dict[str, Any]) -> None:
        """Point a source or target at our server; the example's logins need more than it has."""
        assert settings["path"] == "secret/fleet/docker"
        settings["address"] = self.bao.url
        settings["auth"] = {"method": "token", "token_file": "vault-token"}
        settings["path"] = f"secret/{self.path}"

    @contextmanager
    def daemon(self, name: str, document: dict[str, Any], keys: dict[str, str]) -> Iterator[None]:
        """Run `rotator run`; end it afterwards."""
        place = self.place / name
        config = place / "rotator.yaml"
        config.write_text(yaml.safe_dump(document))
        environment = {"HOME": str(place), "AWS_EC2_METADATA_DISABLED": "true", **keys}
        log = place / "log"
        self.logs.append(log)
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [PROGRAM, "--config", config, "run"], env=environment, stdout=stream, stderr=stream
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait(15)

    def is_published(self) -> bool:
        """Tell whether Vault has something for the hosts."""
        try:
            self.bao.api("GET", f"secret/data/{self.path}")
        except AssertionError:
            return False
        return True

    def password(self, file: Path) -> str | None:
        """Return the password for ECR's registry in a host's file."""
        if not file.exists():
            return None
        logins = docker_config.decode(file.read_text()).logins()
        return logins[self.ecr.host][1].reveal() if self.ecr.host in logins else None


@pytest.fixture
def fleet(tmp_path: Path, openbao: OpenBao, fake_ecr: FakeEcr) -> Iterator[Fleet]:
    """A fleet, and no secret in what it logs."""
    fleet = Fleet(tmp_path, openbao, fake_ecr)
    yield fleet
    assert all(MARKED not in log.read_text() for log in fleet.logs)


def test_one_call_for_all(fleet: Fleet) -> None:
    """However many hosts there are, ECR is asked once; what it gives next reaches all of them."""
    with ExitStack() as stack:
        stack.enter_context(fleet.hub())
        files = [stack.enter_context(fleet.host(f"host-{number}")) for number in range(HOSTS)]
        until(lambda: all(map(fleet.password, files)), 30, "every host to have its file")
        assert fleet.ecr.calls == 1
        (first,) = fleet.ecr.tokens
        assert {fleet.password(file) for file in files} == {first}

        fleet.ecr.end_tokens()
        until(lambda: len(fleet.ecr.tokens) == 2, 30, "the hub to fetch anew")
        second = list(fleet.ecr.tokens)[-1]
        until(lambda: {fleet.password(file) for file in files} == {second}, 30, "the new token")
        assert fleet.ecr.calls == 2


def test_hosts_live_on_without_the_hub(fleet: Fleet) -> None:
    """A host that starts while the hub is down reads what the hub published last."""
    with fleet.hub(), fleet.host("first") as file:
        until(lambda: fleet.password(file), 30, "the first host to have its file")
    with fleet.host("second") as file:
        until(lambda: fleet.password(file), 30, "the second host to have its file")
    assert fleet.ecr.calls == 1
