"""A server that answers slowly is not said to be silent, however many ask it in turn."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from rotator.checks.run import SLOW, prover
from rotator.config.schema import Configuration
from rotator.core.model import Verdict
from rotator.system.each import AT_ONCE
from tests.fakes.far_away import FarAway
from tests.fakes.gitlab_access import OWNER
from tests.fakes.vault_door import VaultDoor
from tests.support import made
from tests.unit.checks.described import bad, file_target, login_file, look, rotation, the
from tests.unit.registry.stand_in import Registry, bearer, credential

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.gitlab import FakeGitlab
    from tests.fakes.kubernetes import FakeKubernetes
    from tests.servers.openbao import OpenBao

SECONDS = 0.9  # that each answer takes


@pytest.mark.parametrize("count", [1, AT_ONCE + 4])
def test_gitlab(tmp_path: Path, fake_gitlab: FakeGitlab, count: int) -> None:
    """A group's variable takes five calls, one after the other, and some wait for their turn."""
    targets: list[dict[str, Any]] = []
    (tmp_path / "token").write_text(fake_gitlab.add_token({"top": OWNER}).text)
    fake_gitlab.add_group("top")
    for number in range(count):
        fake_gitlab.add_group(f"top/{number}")
        fake_gitlab.add_project(f"top/{number}/app")
        where = {"url": fake_gitlab.url, "group": f"top/{number}", "name": f"variable {number}"}
        token = {"token_file": str(tmp_path / "token")}
        targets.append({"type": "gitlab_variable", **where, **token})
    fake_gitlab.latency = SECONDS
    found = look(tmp_path, rotation([login_file(tmp_path)], targets))
    assert not bad([one for one in found if one.about.startswith("variable")])
    asked = [one.about for one in found if "asked 1 of the 1 sub-groups" in one.found]
    assert sorted(asked) == sorted(f"variable {number}" for number in range(count))


def test_gitlab_that_falls_silent(tmp_path: Path, fake_gitlab: FakeGitlab) -> None:
    """Those that have no turn yet are not asked any more: it takes no minute."""
    (tmp_path / "token").write_text(fake_gitlab.add_token({"top": OWNER}).text)
    targets = [
        {
            "type": "gitlab_variable",
            "url": fake_gitlab.url,
            "group": f"top/{number}",
            "token_file": str(tmp_path / "token"),
        }
        for number in range(6 * AT_ONCE)
    ]
    fake_gitlab.silent = True
    began = time.monotonic()
    found = look(tmp_path, rotation([login_file(tmp_path)], targets))
    assert time.monotonic() - began < 25
    failing = [one for one in found if one.level == "failure"]
    assert len(failing) == len(targets)
    assert "not called" in failing[-1].found


def test_many_namespaces(tmp_path: Path, fake_kubernetes: FakeKubernetes) -> None:
    """Each takes five requests, one after the other."""
    names = [f"team-{number}" for number in range(20)]
    fake_kubernetes.objects.namespaces.update(dict.fromkeys(names, "Active"))
    config = fake_kubernetes.kubeconfig(tmp_path / "kubeconfig")
    port = fake_kubernetes.url.rpartition(":")[2]
    with FarAway(int(port), SECONDS) as relay:
        config.write_text(config.read_text().replace(f":{port}", f":{relay.port}"))
        target = {
            "type": "kubernetes_configmap",
            "namespaces": ["team-*"],
            "name": "docker",
            "kubeconfig": str(config),
        }
        found = look(tmp_path, rotation([login_file(tmp_path)], [target]))
    mine = [one for one in found if one.about.startswith("kubernetes")]
    assert not bad(mine)
    the(mine, "ok", "20 namespaces fit now, and in 16 of them the object can be read")


def test_vault(tmp_path: Path, openbao: OpenBao, kv_secret: str, kv_policy: str) -> None:
    """Some sources share a login, and all ask one after the other."""
    (tmp_path / "token").write_text(openbao.token(kv_policy))
    with VaultDoor(openbao.url) as door:
        door.rude[""] = lambda _: time.sleep(SECONDS)
        source = {
            "type": "vault",
            "address": door.url,
            "auth": {"method": "token", "token_file": str(tmp_path / "token")},
            "path": f"secret/{kv_secret}",
        }
        sources = [
            {**source, "name": f"vault {number}", "registry": f"127.0.0.1:{number}"}
            for number in range(1, AT_ONCE + 2)
        ]
        found = look(tmp_path, rotation(sources, [file_target(tmp_path)]))
    assert not bad([one for one in found if one.level == "failure"])
    assert sum("can be read" in one.found for one in found) == len(sources)


def test_slower_than_a_person_waits(
    tmp_path: Path, openbao: OpenBao, kv_secret: str, kv_policy: str
) -> None:
    """The daemon would wait for it, so it works, and who is slow is said."""
    (tmp_path / "token").write_text(openbao.token(kv_policy))
    with VaultDoor(openbao.url) as door:
        door.rude["sys/health"] = lambda _: time.sleep(SLOW + 1.5)
        source = {
            "type": "vault",
            "name": "kv",
            "address": door.url,
            "auth": {"method": "token", "token_file": str(tmp_path / "token")},
            "path": f"secret/{kv_secret}",
            "registry": "127.0.0.1:1",
        }
        found = look(tmp_path, rotation([source], [file_target(tmp_path)]))
    assert not bad([one for one in found if one.level == "failure"])
    the([one for one in found if one.about == "kv"], "warning", "slow: an answer took 4.")


def test_a_registry(tmp_path: Path) -> None:
    """A login takes three requests, and whoever publishes it too waits for the one answer."""
    with Registry() as registry:

        def respond(path: str, authorization: str) -> Any:
            time.sleep(SECONDS)
            if path.startswith("/token"):
                return 200, {}, b'{"token":"s3cr3t-token"}'
            if authorization:
                return 200, {}, b""
            return bearer(f'realm="{registry.url}/token",service="tests"')

        registry.respond = respond
        source = login_file(tmp_path, registry.host)
        target = file_target(tmp_path)
        (tmp_path / "docker" / "config.json").write_text((tmp_path / "login.json").read_text())
        one = rotation([source], [target])
        found = look(tmp_path, one)
        the(found, "ok", f"{registry.host} accepts what it gives")
        the(found, "ok", f"published for {registry.host}")
        settings = made(Configuration, version=1, state_dir=tmp_path, rotations=[one])
        assert prover(settings)(credential(registry.host)).verdict is Verdict.ACCEPTED
