"""The policy that is shipped is exactly enough: it works, and each of its lines is needed."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator.config.targets import VaultKvTargetSettings
from rotator.core.errors import DriverError
from rotator.core.model import Mark, Policy, Secret
from rotator.targets.vault_kv import VaultKvTarget
from rotator.vault.session import open_session
from tests.fakes.rabbitmq import RabbitMq
from tests.integration.vault_tools import SetClock, token_login, vault_source
from tests.servers.openbao import OpenBao
from tests.support import made

if TYPE_CHECKING:
    from collections.abc import Iterator

SHIPPED = Path(__file__).parents[2] / "deploy/policies/vault-policy.hcl"
LINES = [line for line in SHIPPED.read_text().splitlines() if line.startswith("path ")]
ABILITIES = [
    (line, ability) for line in LINES for ability in re.findall(r'"(\w+)"', line.partition("{")[2])
]
MARK = Mark({}, "hmac:0123456789ab", "dind")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """Give a server of this module's own: the policy names mounts that others could have."""
    with OpenBao(tmp_path_factory.mktemp("openbao")) as bao, RabbitMq() as rabbitmq:
        bao.put("secret/data/registries/harbor", {"username": "u", "password": "s3cr3t-x"})
        bao.enable_engine("rabbitmq", "rabbitmq")
        connection = {
            "connection_uri": rabbitmq.url,
            "username": "admin",
            "password": "s3cr3t-admin",
            "verify_connection": False,
        }
        bao.api("POST", "rabbitmq/config/connection", connection)
        bao.api("POST", "rabbitmq/roles/ci", {"vhosts": '{"/": {"read": ".*"}}'})
        yield bao


def work(server: OpenBao, policy: str, folder: Path) -> list[str]:
    """Do everything that the policy is for, as a login without the default policy.

    Return what went wrong.
    """
    server.api("DELETE", "secret/metadata/fleet/docker")
    name = server.policy(policy)
    auth = token_login(folder, server.token(name, period="1h", ttl="", no_default_policy=True))
    wrong: list[str] = []
    for job in (_read_kv, _lease, _publish):
        try:
            wrong += job(server, auth)
        except DriverError as error:
            wrong.append(error.detail)
    return wrong


def _read_kv(server: OpenBao, auth: dict[str, str]) -> list[str]:
    clock = SetClock()
    source = vault_source(server, auth, clock, path="secret/registries/harbor")
    source.fetch([])
    if source.token_expires_at is None:
        return ["the token's end is not known"]
    clock.forward(minutes=40)
    source.fetch([])
    left = source.token_expires_at - clock.now
    return [] if left > timedelta(minutes=30) else ["the token is not renewed"]


def _lease(server: OpenBao, auth: dict[str, str]) -> list[str]:
    source = vault_source(server, auth, path="rabbitmq/creds/ci")
    (first,) = source.fetch([])
    (second,) = source.fetch([first])
    assert second.lease is not None
    source.revoke(second.lease)
    return [] if first.username == second.username else ["the lease is not renewed"]


def _publish(server: OpenBao, auth: dict[str, str]) -> list[str]:
    settings = made(
        VaultKvTargetSettings,
        name="hub",
        address=server.url,
        auth=auth,
        path="secret/fleet/docker",
        keep_versions=1,
    )
    target = VaultKvTarget(settings, Policy(), open_session(settings, SetClock(), 0))
    held = target.write(Secret("{}"), MARK, target.read())
    return list(target.write(Secret('{"auths":{}}'), MARK, held).notes)


def test_policy_is_enough(server: OpenBao, tmp_path: Path) -> None:
    """With the shipped policy alone, source and target do all that they can."""
    assert work(server, SHIPPED.read_text(), tmp_path) == []


@pytest.mark.parametrize(
    ("line", "ability"), ABILITIES, ids=[f"{x.split()[1]} {y}" for x, y in ABILITIES]
)
def test_every_ability_is_needed(server: OpenBao, tmp_path: Path, line: str, ability: str) -> None:
    """Without any one ability of any line, something does not work."""
    rest = [each for each in re.findall(r'"(\w+)"', line.partition("{")[2]) if each != ability]
    listed = ", ".join(f'"{each}"' for each in rest)
    shorter = f"{line.partition('{')[0]}{{ capabilities = [{listed}] }}" if rest else ""
    assert work(server, SHIPPED.read_text().replace(line, shorter), tmp_path) != []
