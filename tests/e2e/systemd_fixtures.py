"""Fixtures of the tests that need a host with systemd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.systemd_host import Host
from tests.fakes.registry import BasicRegistry
from tests.servers.openbao import unique
from tests.support import MARKED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.openbao import OpenBao
    from tests.servers.systemd_machine import SystemdMachine


@pytest.fixture
def host(systemd_machine: SystemdMachine) -> Host:
    """A machine where rotator is installed and configured, and not started."""
    return Host(systemd_machine)


@pytest.fixture
def vault_login(host: Host, openbao: OpenBao) -> Iterator[str]:
    """Add a password in Vault, read with a token in the credential store; return the token."""
    path = unique("host")
    openbao.put(f"secret/data/{path}", {"username": "robot", "password": f"{MARKED}vault"})
    token = openbao.token(
        openbao.policy(f'path "secret/data/{path}" {{ capabilities = ["read"] }}')
    )
    host.put("/etc/credstore/vault-token", token)
    with BasicRegistry({"robot": f"{MARKED}vault"}) as registry:
        source = {
            "type": "vault",
            "address": openbao.url,
            "auth": {"method": "token", "token_file": "vault-token"},
            "path": f"secret/{path}",
            "registry": registry.host,
        }
        host.rotation["sources"].append(source)
        host.rotation["prove"] = "lenient"
        yield token
