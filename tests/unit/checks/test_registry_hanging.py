"""A registry or a name server that hangs takes no other verdict with it."""

from __future__ import annotations

import base64
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from rotator.checks.document import judge
from rotator.checks.run import prover
from rotator.config.schema import Configuration
from rotator.core.model import Verdict
from rotator.inspection import SECONDS
from rotator.registry.prover import RegistryProver
from rotator.system.each import ThreadedEach
from tests.support import made
from tests.unit.checks.described import case, file_target, levels, look, rotation, the
from tests.unit.registry.stand_in import SECRET, Registry, basic, credential

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.name_server import NameServer


@pytest.fixture
def hosts(name_server: NameServer) -> Iterator[list[str]]:
    """Return a registry that answers, one whose name hangs, and one that never answers."""
    with Registry() as good, socket.create_server(("127.0.0.1", 0)) as silent:
        good.respond = basic(200)
        yield [good.host, "registry.hangs", f"127.0.0.1:{silent.getsockname()[1]}"]


def document(hosts: list[str]) -> str:
    """Return a docker config with a login at each."""
    auth = base64.b64encode(f"ci:{SECRET}".encode()).decode()
    return json.dumps({"auths": {host: {"auth": auth} for host in hosts}})


def settings(place: Path, hosts: list[str]) -> dict[str, Any]:
    """Return a rotation from a file with these logins to a file that holds them too."""
    path = place / "login.json"
    path.write_text(document(hosts))
    target = file_target(place)
    (place / "docker" / "config.json").write_text(document(hosts))
    source = {"type": "docker_config", "name": "login", "path": str(path), "registries": hosts}
    return rotation([source], [target])


def test_check(tmp_path: Path, hosts: list[str]) -> None:
    """`check` says what each registry says, of the source's logins and of what is published."""
    good, hangs, silent = hosts
    began = time.monotonic()
    findings = look(tmp_path, settings(tmp_path, hosts))
    assert time.monotonic() - began < SECONDS
    the(findings, "ok", f"{good} accepts what it gives")
    the(findings, "warning", f"{hangs} cannot be asked whether it is good: the name server does")
    the(findings, "warning", f"{silent} cannot be asked whether it is good: no answer within")
    the(findings, "ok", f"published for {good}")
    the(findings, "warning", f"published for {hangs}")
    the(findings, "warning", f"published for {silent}")


def test_check_document(tmp_path: Path, hosts: list[str]) -> None:
    """`check --document` too."""
    good, hangs, silent = hosts
    rotations = [settings(tmp_path, hosts)]
    prove = prover(made(Configuration, version=1, state_dir=tmp_path, rotations=rotations))
    found = judge(document(hosts).encode(), "it", [case(rotations[0], prove=prove)])
    failing = {one.about for one in found if "can't be asked" in one.found}
    assert failing == {hangs, silent}, levels(found)
    assert not [one for one in levels(found, good) if "can't be asked" in one]


def test_the_proofs_of_a_cycle(hosts: list[str]) -> None:
    """A cycle asks all at once: each ends within a proof's own time."""
    began = time.monotonic()
    prove = RegistryProver().prove
    answers = ThreadedEach()(prove, [credential(host) for host in hosts], 15.0)
    verdicts = [answer.verdict for answer in answers]
    assert verdicts == [Verdict.ACCEPTED, Verdict.UNKNOWN, Verdict.UNKNOWN]
    assert time.monotonic() - began < 10
